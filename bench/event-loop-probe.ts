import { monitorEventLoopDelay } from 'node:perf_hooks'

/*
 * Loaded into the measured service before its own code (`node --import`): the delay of an event loop
 * can only be seen from within. Each message from the bench is answered with the 99th percentile of
 * its ticks and the longest of them since the one before.
 */
const resolutionMs = 1
const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
histogram.enable()
process.on('message', () => {
  // What it records is the time between two ticks of a timer: without delay, its interval.
  const delay = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs)
  process.send?.({ p99: delay(histogram.percentile(99)), longest: delay(histogram.max) })
  histogram.reset()
})
process.channel?.unref()
