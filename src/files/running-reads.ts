import { StrongroomError } from '../errors/strongroom-error.js'
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
  add(grantId: string, end: (reason: StrongroomError) => void): () => void
  close(): void
}

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  /** Told when the grants cannot be looked at: readings go on until they can. */
  readonly onProblem: (error: unknown) => void
}

export function runningReads({ db, onProblem }: Dependencies): RunningReads {
  const running = new Map<symbol, { grantId: string; end: (reason: StrongroomError) => void }>()
  let looking = false

  const look = async () => {
    if (looking || running.size === 0) return
    looking = true
    try {
      const grantIds = [...new Set([...running.values()].map(({ grantId }) => grantId))]
      const ended = new Set(await db.stores.files.endedGrants(grantIds))
      for (const [token, { grantId, end }] of running) {
        if (!ended.has(grantId)) continue
        running.delete(token)
        end(new StrongroomError('forbidden', { context: { grant_id: grantId } }))
      }
    } catch (error) {
      onProblem(error)
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), LOOK_EVERY_MS)
  timer.unref()
  return {
    add: (grantId, end) => {
      const token = Symbol('reading')
      running.set(token, { grantId, end })
      return () => {
        running.delete(token)
      }
    },
    close: () => {
      clearInterval(timer)
    },
  }
}
