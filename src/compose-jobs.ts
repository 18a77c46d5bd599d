import type { BlobStore } from './blobs/blob-store.js'
import type { Config } from './config.js'
import type { AllStores } from './db/stores.js'
import { StrongroomError } from './errors/strongroom-error.js'
import type { PurgeFile } from './files/delete-file.js'
import type { OpenEntry } from './files/open-entry.js'
import { purgeDue } from './files/purge-due.js'
import { scrub } from './files/scrub.js'
import { sweep } from './files/sweep.js'
import { byHand } from './jobs/by-hand.js'
import { type JobHandler, jobRunner, type RecurringJob } from './jobs/job-runner.js'
import type { IndexHash } from './keys/index-hash.js'
import type { Transactions } from './ports/transactions.js'
import type { JobWatch } from './ports/watch.js'
import type { WorkLog } from './ports/work-log.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** How often a long job says where it is. */
const SAVE_EVERY_MS = 30_000

interface Parts {
  readonly config: Pick<Config, 'sweep' | 'scrub'>
  readonly db: Transactions<AllStores>
  readonly blobs: BlobStore
  readonly openEntry: OpenEntry
  readonly purge: PurgeFile
  readonly hash: Pick<IndexHash, 'uuid'>
  readonly log: WorkLog
  readonly onProblem: (error: unknown) => void
  readonly watch: JobWatch | undefined
  /** What other rooms have done as jobs, by kind. */
  readonly handlers: Readonly<Record<string, JobHandler>>
  /** What of that is done again and again. */
  readonly recurring: readonly Omit<RecurringJob, 'jobId'>[]
}

/** What is done again and again without being asked: purging, sweeping, scrubbing. */
export function wireJobs(parts: Parts) {
  const { config, hash, handlers, onProblem } = parts
  const purge = purgeDue(parts)
  const sweeping = sweep(parts)
  const scrubbing = scrub(parts)
  const every = (kind: string, everyMs: number) => ({
    jobId: hash.uuid('job', kind),
    kind,
    everyMs,
  })
  const doing: Readonly<Record<string, JobHandler>> = {
    ...handlers,
    purge: (_job, { signal, tell }) => purge(new Date(), { signal, progress: tell }),
    sweep: (_job, { signal, tell }) =>
      sweeping({ dryRun: false, ...config.sweep }, { signal, progress: tell }),
    scrub: async ({ progress }, { signal, saveProgress, tell }) => {
      const { after } = progress ?? {}
      let savedAt = performance.now()
      const { refused } = await scrubbing(
        { ...config.scrub, after: typeof after === 'string' ? after : undefined },
        {
          signal,
          progress: async (done, last) => {
            tell(done)
            if (performance.now() - savedAt < SAVE_EVERY_MS) return
            savedAt = performance.now()
            await saveProgress({ after: last })
          },
        },
      )
      // Tried again as a job that failed, until its storage is there.
      if (refused) throw new StrongroomError('storage_unavailable', { cause: 'all is missing' })
    },
  }
  const runner = jobRunner({
    db: parts.db,
    handlers: doing,
    recurring: [
      every('purge', HOUR_MS),
      every('sweep', config.sweep.everyHours * HOUR_MS),
      every('scrub', config.scrub.everyDays * DAY_MS),
      every('retire-user-keys', HOUR_MS),
      ...parts.recurring.map(({ kind, everyMs }) => every(kind, everyMs)),
    ],
    onProblem,
    watch: parts.watch,
  })
  return {
    runner,
    kinds: Object.keys(doing),
    byHand: byHand(parts),
    sweep: sweeping,
    scrub: scrubbing,
    purge,
  }
}
