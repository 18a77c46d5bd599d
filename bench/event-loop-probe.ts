import { monitorEventLoopDelay } from 'node:perf_hooks'

/*
 * Loaded into the measured service before its own code (`node --import`): the delay of an event loop
 * can only be seen from within. Each message from the bench is answered with the 99th percentile
 * since the one before.
 */
const resolutionMs = 1
const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
histogram.enable()
process.on('message', () => {
  // What it records is the time between two ticks of a timer: without delay, its interval.
  process.send?.(Math.max(0, histogram.percentile(99) / 1e6 - resolutionMs))
  histogram.reset()
})
process.channel?.unref()
