import { auditEvent } from './audit/audit-log.js'
import type { AuditStore } from './audit/ports.js'
import { systemActor } from './audit/system-actor.js'
import type { Database } from './db/database.js'
import { abandonMove, moveDatabase } from './db/move/move-database.js'
import { openPostgresDatabase } from './db/postgres-database.js'
import { whyUnreachable } from './db/why-unreachable.js'
import { isStrongroomError, StrongroomError } from './errors/strongroom-error.js'
import type { DatabaseMoveDependencies } from './operations/database-operations.js'
import type { Transactions } from './ports/transactions.js'
import type { WorkLog } from './ports/work-log.js'

/** Foreign keys are made over whole tables. */
const STATEMENT_LIMIT_MS = 10 * 60_000

interface Parts {
  readonly database: Database
  readonly db: Transactions<{ readonly audit: AuditStore }>
  readonly log: WorkLog
}

/** Moving the embedded database to a PostgreSQL; one at a time. */
export function wireMove({ database, db, log }: Parts): DatabaseMoveDependencies {
  let isUnderWay = false

  async function alone<T>(url: string, work: (target: Database) => Promise<T>): Promise<T> {
    if (database.engine !== 'embedded') throw refused('The database is not the embedded one')
    if (isUnderWay) throw refused('A move of the database is under way')
    isUnderWay = true
    try {
      return await onTarget(url, work)
    } finally {
      isUnderWay = false
    }
  }
  const note = async (outcome: 'success' | 'failed', reason: string) => {
    const facts = { action: 'database.move', outcome, reason } as const
    await db.stores.audit.append(auditEvent(systemActor('move'), facts))
  }
  return {
    moveDatabase: (url, { signal, progress }) =>
      alone(url, async (target) => {
        log.info({}, 'a move of the database is under way')
        const report = await moveDatabase(database, target, {
          ...{ signal, note: (what) => note('success', what) },
          progress: (done, total) => {
            progress({ done, total })
          },
        })
        log.warn({ ...report }, 'the database was moved: this one takes no change any more')
        return report
      }),
    abandonMove: (url) =>
      alone(url, async (target) => {
        const abandoned = await abandonMove(database, target)
        if (abandoned) {
          await note('failed', 'abandoned')
          log.warn({}, 'the move of the database was given up')
        }
        return { abandoned }
      }),
  }
}

async function onTarget<T>(url: string, work: (target: Database) => Promise<T>): Promise<T> {
  const limits = {
    statementTimeoutMs: STATEMENT_LIMIT_MS,
    transactionTimeoutMs: STATEMENT_LIMIT_MS,
  }
  const target = await openTarget(() => openPostgresDatabase({ url, poolSize: 2, ...limits }))
  try {
    return await work(target)
  } catch (error) {
    if (isStrongroomError(error, 'database_unavailable', 'commit_unknown')) throw away(error)
    throw error
  } finally {
    await target.close()
  }
}

/** Away or refused: it is the other database, not the one that serves. */
async function openTarget(open: () => Promise<Database>): Promise<Database> {
  try {
    return await open()
  } catch (cause) {
    throw new StrongroomError('database_unavailable', {
      detail: ['DATABASE_MOVE_URL: this database cannot be opened', whyOf(cause)]
        .filter((part) => part !== undefined)
        .join(': '),
      cause,
    })
  }
}

const whyOf = (cause: unknown) =>
  (isStrongroomError(cause) ? cause.detail : undefined) ?? whyUnreachable(cause)

/** Which of the two it is, and whether the time for ending writing was over, is in the log. */
function away(cause: StrongroomError): StrongroomError {
  return new StrongroomError(cause.code, {
    detail:
      'One of the two databases could not be used, or writing could not be ended in 20 seconds: give the ' +
      'command again, and it goes on',
    cause,
  })
}

const refused = (detail: string) => new StrongroomError('conflict', { detail })
