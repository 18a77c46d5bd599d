import type { JobContext } from './job-runner.js'
import type { JobRow, JobStore } from './ports.js'

/** Milliseconds between two notes of how far a job is. */
const NOTE_EVERY_MS = 1_000

interface Options {
  readonly store: Pick<JobStore, 'saveProgress'>
  readonly row: JobRow
  readonly signal: AbortSignal
  /** Whoever watches. */
  readonly tell?: JobContext['tell']
  readonly onProblem: (error: unknown, row: JobRow) => void
}

/** What a handler is given; how far it is, is noted now and then beside where it would go on. */
export function jobContext({ store, row, signal, tell, onProblem }: Options) {
  let resume = row.progress ?? {}
  let notedAt = -Infinity
  let noting: Promise<void> = Promise.resolve()
  const context: JobContext = {
    signal,
    saveProgress: async (progress) => {
      resume = progress
      await noting
      await store.saveProgress(row, progress)
    },
    tell: (done, total) => {
      tell?.(done, total)
      if (performance.now() - notedAt < NOTE_EVERY_MS) return
      notedAt = performance.now()
      const progress = { ...resume, done, ...(total === undefined ? {} : { total }) }
      noting = noting
        .then(() => store.saveProgress(row, progress))
        .catch((error: unknown) => {
          onProblem(error, row)
        })
    },
  }
  return {
    context,
    /** Resolves when nothing of it is under way any more. */
    settled: () => noting,
  }
}
