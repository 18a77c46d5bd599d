import { CommandFailure } from './context.js'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs what has something to tidy up: the first signal breaks it off, the second ends the process. */
export async function untilBrokenOff<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const broken = new AbortController()
  const onSignal = () => {
    broken.abort(new CommandFailure('broken off'))
    for (const name of signals) process.off(name, onSignal)
  }
  for (const name of signals) process.once(name, onSignal)
  try {
    return await work(broken.signal)
  } catch (error) {
    if (broken.signal.aborted) throw broken.signal.reason
    throw error
  } finally {
    for (const name of signals) process.off(name, onSignal)
  }
}
