import { outcomes } from '../errors/outcome-of.js'
import { keyFinds, type Meter, retryReasons } from '../ports/meter.js'
import type { JobWatch, Watch } from '../ports/watch.js'
import { callSeconds, type Instruments } from './instruments.js'

/** What is told under its own name; every other operation is `other`. */
export interface KnownOperations {
  readonly storage: readonly string[]
  readonly keys: readonly string[]
  /** Kinds of jobs. */
  readonly jobs: () => readonly string[]
}

const OTHER = 'other'

/** Calls to the storage, to whoever holds the keys, and to the database, with how they ended. */
export function workMetrics(
  { counter, histogram }: Instruments,
  known: Pick<KnownOperations, 'storage' | 'keys'>,
): Watch {
  const ofKind = (whom: string, name: string, words: readonly string[]) => {
    const calls = counter(`${name}_total`, `Calls to ${whom}, by how they ended`, [
      'operation',
      'outcome',
    ])
    const seconds = histogram(`${name}_duration_seconds`, `How long calls to ${whom} took`, {
      labels: ['operation'],
      buckets: callSeconds,
    })
    for (const operation of words) {
      seconds.zero({ operation })
      for (const outcome of outcomes) calls.inc({ operation, outcome }, 0)
    }
    return { calls, seconds, words: new Set(words) }
  }
  // A statement's name is for traces: two hundred of them would be as many series.
  const kinds = {
    database: ofKind('the database', 'database_calls', ['statement', 'transaction']),
    storage: ofKind('the storage', 'storage_calls', known.storage),
    keys: ofKind('whoever holds the master keys', 'key_provider_calls', known.keys),
  }
  return {
    begin: (kind, given) => {
      const { calls, seconds, words } = kinds[kind]
      const rest = kind === 'database' ? 'statement' : OTHER
      const operation = words.has(given) ? given : rest
      const start = performance.now()
      return (outcome, took = (performance.now() - start) / 1_000) => {
        calls.inc({ operation, outcome })
        seconds.observe({ operation }, took)
      }
    },
  }
}

/** What the rooms say they did. */
export function roomMetrics(
  { counter }: Instruments,
  known: Pick<KnownOperations, 'storage'>,
): Meter {
  const files = counter('sealed_files_total', 'Files sealed')
  const sealedBytes = counter('sealed_bytes_total', 'Bytes of files sealed, before sealing')
  const sealSeconds = counter(
    'seal_seconds_total',
    'Time spent sealing, without waiting for sender or storage',
  )
  const openedBytes = counter('opened_bytes_total', 'Bytes of files opened, after opening')
  const openSeconds = counter(
    'open_seconds_total',
    'Time spent reading sealed bytes and opening them',
  )
  const noSlot = counter('upload_slots_refused_total', 'Uploads refused because no slot was free')
  const keys = counter('key_cache_lookups_total', 'Keys of people asked for, by where they were', [
    'result',
  ])
  for (const result of keyFinds) keys.inc({ result }, 0)
  const seals = counter('audit_seals_total', 'Seals made over the audit log')
  const sealedEvents = counter('audit_sealed_events_total', 'Events of the audit log sealed')
  const retries = counter('storage_retries_total', 'Calls to the storage tried again', [
    'operation',
    'reason',
  ])
  for (const reason of retryReasons) retries.inc({ operation: 'put', reason }, 0)
  const operations = new Set(known.storage)
  return {
    sealed: (bytes, seconds) => {
      files.inc()
      sealedBytes.inc(bytes)
      sealSeconds.inc(Math.max(seconds, 0))
    },
    opened: (bytes, seconds) => {
      openedBytes.inc(bytes)
      openSeconds.inc(Math.max(seconds, 0))
    },
    uploadRefused: () => {
      noSlot.inc()
    },
    keyLookedUp: (result) => {
      keys.inc({ result })
    },
    eventsSealed: (events) => {
      seals.inc()
      sealedEvents.inc(events)
    },
    storageRetried: ({ operation, reason }) => {
      retries.inc({ operation: operations.has(operation) ? operation : OTHER, reason })
    },
  }
}

/** Runs of jobs. One that is broken off because the process stops is no failure. */
export function jobMetrics({ counter, histogram }: Instruments): JobWatch {
  const runs = counter('job_runs_total', 'Runs of jobs, by how they ended', ['kind', 'outcome'])
  const seconds = histogram('job_run_duration_seconds', 'How long runs of jobs took', {
    labels: ['kind'],
    buckets: [0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600],
  })
  return {
    around: async (kind, work) => {
      const start = performance.now()
      const over = (outcome: 'done' | 'failed' | 'broken_off') => {
        runs.inc({ kind, outcome })
        seconds.observe({ kind }, (performance.now() - start) / 1_000)
      }
      try {
        const result = await work()
        over('done')
        return result
      } catch (error) {
        over(isAbort(error) ? 'broken_off' : 'failed')
        throw error
      }
    },
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}
