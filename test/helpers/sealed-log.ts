import { randomBytes, randomUUID } from 'node:crypto'
import type { AuditFacts } from '../../src/audit/audit-events.js'
import { auditEvent } from '../../src/audit/audit-log.js'
import { auditWriter } from '../../src/audit/audit-writer.js'
import { sealer } from '../../src/audit/seal-events.js'
import { type VerifyCourse, verifyLog } from '../../src/audit/verify-log.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'

export const newKeys = () => ({ events: randomBytes(32), seals: randomBytes(32) })

/** One process that writes and seals, sealing only when it is told to. */
export async function startWriter(
  database: Database,
  keys: ReturnType<typeof newKeys>,
  { isAlone = false }: { readonly isAlone?: boolean } = {},
) {
  const writer = auditWriter(keys)
  const db = transactions(database, writer)
  const problems: unknown[] = []
  const onProblem = (error: unknown) => problems.push(error)
  const seals = sealer({ db, keys, writer, isAlone, onProblem })
  await seals.begin()
  const event = (who: string, facts: Partial<AuditFacts> = {}) =>
    auditEvent(
      { userId: who, roles: ['patient'], ip: '192.0.2.7', userAgent: 'test', requestId: 'r-1' },
      { action: 'file.view', outcome: 'success', fileId: randomUUID(), bytes: 7, ...facts },
    )
  return {
    db,
    keys,
    writer,
    seals,
    problems,
    event,
    write: async (count: number, facts: Partial<AuditFacts> = {}) => {
      for (let n = 0; n < count; n++) await db.stores.audit.append(event(`person-${n % 5}`, facts))
    },
    /** Events in transactions that come to nothing. */
    writeInVain: async (count: number) => {
      await db
        .transaction(async ({ audit }) => {
          for (let n = 0; n < count; n++) await audit.append(event('nobody'))
          throw new Error('rolled back')
        })
        .catch(() => undefined)
    },
    verify: (course: Partial<VerifyCourse> = {}) =>
      verifyLog({ db, keys })({
        ...{ seen: seals.head(), signal: AbortSignal.timeout(60_000), progress: () => undefined },
        ...course,
      }),
  }
}

export type Writer = Awaited<ReturnType<typeof startWriter>>
