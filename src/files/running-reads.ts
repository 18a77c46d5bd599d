import type { Transactions } from '../ports/transactions.js'
import type { FileStores } from './ports.js'

/** Milliseconds between two looks at the grants that running readings rest on. */
const LOOK_EVERY_MS = 1_000

/**
 * Readings under way. One query a second, whatever their number, finds those whose grant was revoked
 * or whose file was deleted, on this node or another, and ends them.
 */
export interface RunningReads {
  /** `end` is called at most once, when the reading must end; the answer forgets it. */
  add(grantId: string, end: (why: EndReason) => Promise<void>): () => void
  /** Something to be put on record of a reading: `close` waits for it. Failures are told. */
  track(work: Promise<void>): void
  /** Ends all of them, and those that come later: the service does not wait any longer. */
  endAll(): Promise<void>
  /** Looks no more. Resolves when what became of the readings is on record. */
  close(): Promise<void>
}

/** Why a reading is ended that nothing is wrong with. */
export type EndReason = 'grant_ended' | 'shutting_down'

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  /** Told when the grants cannot be looked at: readings go on until they can. */
  readonly onProblem: (error: unknown) => void
}

export function runningReads({ db, onProblem }: Dependencies): RunningReads {
  const running = new Map<symbol, { grantId: string; end: (why: EndReason) => Promise<void> }>()
  const tracked = new Set<Promise<void>>()
  let looking = false
  let ending = false

  const track = (work: Promise<void>) => {
    const told = work.catch(onProblem).finally(() => tracked.delete(told))
    tracked.add(told)
  }
  const endThose = (isEnded: (grantId: string) => boolean, why: EndReason) => {
    for (const [token, { grantId, end }] of running) {
      if (!isEnded(grantId)) continue
      running.delete(token)
      track(end(why))
    }
  }
  const look = async () => {
    if (looking || running.size === 0) return
    looking = true
    try {
      const grantIds = [...new Set([...running.values()].map(({ grantId }) => grantId))]
      const ended = new Set(await db.stores.files.endedGrants(grantIds))
      endThose((grantId) => ended.has(grantId), 'grant_ended')
    } catch (error) {
      onProblem(error)
    } finally {
      looking = false
    }
  }
  const settled = async () => {
    await Promise.all(tracked)
  }
  const timer = setInterval(() => void look(), LOOK_EVERY_MS)
  timer.unref()
  return {
    add: (grantId, end) => {
      if (ending) {
        track(end('shutting_down'))
        return () => undefined
      }
      const token = Symbol('reading')
      running.set(token, { grantId, end })
      return () => {
        running.delete(token)
      }
    },
    track,
    endAll: async () => {
      ending = true
      endThose(() => true, 'shutting_down')
      await settled()
    },
    close: async () => {
      clearInterval(timer)
      await settled()
    },
  }
}
