import cluster, { type Worker } from 'node:cluster'
import { setTimeout as pause } from 'node:timers/promises'
import type { WorkLog } from '../ports/work-log.js'

export interface PrimaryOptions {
  /** Processes that serve. */
  readonly workers: number
  /** How long a worker may take to stop before it is killed. */
  readonly stopMs: number
  readonly log: WorkLog
}

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000
/** A worker that served for so long did not die of how it was started. */
const SETTLED_MS = 60_000

/**
 * Starts the processes that serve on one port, and keeps as many alive until it is told to stop. The first one
 * starts alone: it migrates, and where it cannot start, nothing does. Resolves with the exit code.
 */
export function runPrimary({ workers, stopMs, log }: PrimaryOptions): Promise<number> {
  const state = { isStopping: false, failures: 0 }
  // A connection goes to the next worker, whoever is quicker to take it.
  cluster.schedulingPolicy = cluster.SCHED_RR
  return new Promise((resolve) => {
    const end = (code: number) => {
      state.isStopping = true
      void stopAll(stopMs).then((clean) => {
        resolve(code === 0 && !clean ? 1 : code)
      })
    }
    const start = () => {
      const worker = cluster.fork()
      const startedAt = performance.now()
      worker.once('listening', () => {
        log.info({ worker: worker.id, pid: worker.process.pid }, 'a worker serves')
      })
      worker.once('exit', (code, signal) => {
        if (state.isStopping) return
        log.error({ worker: worker.id, exit_code: code, signal }, 'a worker is gone')
        state.failures = performance.now() - startedAt > SETTLED_MS ? 1 : state.failures + 1
        void replace()
      })
      return worker
    }
    const replace = async () => {
      await pause(Math.min(FIRST_PAUSE_MS * 2 ** (state.failures - 1), LONGEST_PAUSE_MS))
      if (!state.isStopping) start()
    }
    onStop(() => {
      if (state.isStopping) killAll()
      else end(0)
    })
    startFirst(
      end,
      () => {
        for (let n = 1; n < workers; n++) start()
      },
      start,
    )
  })
}

function startFirst(end: (code: number) => void, started: () => void, start: () => Worker): void {
  const first = start()
  const failed = (code: number) => {
    // It has said why.
    end(code === 0 ? 1 : code)
  }
  // Before the listener that would replace it.
  first.prependOnceListener('exit', failed)
  first.once('listening', () => {
    first.off('exit', failed)
    started()
  })
}

function onStop(stop: () => void): void {
  process.on('SIGTERM', stop).on('SIGINT', stop)
}

const living = () => Object.values(cluster.workers ?? {}).filter((each) => each !== undefined)

/** Resolves when all have ended; whether each did so by itself. */
async function stopAll(stopMs: number): Promise<boolean> {
  const timer = setTimeout(killAll, stopMs)
  const ends = await Promise.all(
    living().map(
      (worker) =>
        new Promise<boolean>((resolve) => {
          worker.once('exit', (code) => {
            resolve(code === 0)
          })
          worker.process.kill('SIGTERM')
        }),
    ),
  )
  clearTimeout(timer)
  return ends.every(Boolean)
}

function killAll(): void {
  for (const worker of living()) worker.process.kill('SIGKILL')
}
