import { createHash } from 'node:crypto'
import type { SigningKey } from '../crypto/signing-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { Actor } from './audit-events.js'
import { auditEvent } from './audit-log.js'
import { type AuditMonth, isPastRetention, parseMonth } from './audit-month.js'
import type { CodedEvent } from './coded-events.js'
import { checkMonth, exportLine, type MonthStatement, signedMonth } from './month-export.js'
import type { AuditMonthStore, AuditStore, EventCursor, MonthFiles, MonthParts } from './ports.js'
import type { Head } from './seal.js'
import type { VerifyAudit } from './verify-audit.js'

const PAGE = 2_000

export interface MonthState {
  readonly month: string
  /** Sealed events, whether they are still here or not. */
  readonly events: number
  /** It has a part of the log of its own, which can be dropped. */
  readonly here: boolean
  readonly past_retention: boolean
  readonly exported_at: string | null
}

interface Course {
  readonly signal: AbortSignal
  readonly progress: (done: number, total: number) => void
}

interface Dependencies {
  readonly db: Transactions<{ readonly audit: AuditStore; readonly auditMonths: AuditMonthStore }>
  readonly files: MonthFiles
  readonly signingKey: SigningKey
  readonly head: () => Head
  readonly verify: VerifyAudit
  readonly monthParts: MonthParts
  /** Years a month is kept after its end, six at least (45 CFR 164.316(b)(2)(i)). */
  readonly years: number
}

/** Exporting months of the log, and dropping those that need not be kept any longer. */
export interface AuditRetention {
  months(): Promise<MonthState[]>
  /**
   * Every event of a month into a file, signed at its end.
   * @throws StrongroomError `not_found`, `conflict` where the file is there already
   */
  export(actor: Actor, month: string, path: string, course: Course): Promise<MonthStatement>
  /**
   * Removes a month for good. The oldest one alone, so that what is left has one beginning.
   * @throws StrongroomError `conflict` with the reason; `legal_hold`; `damaged` where the log or the file is
   */
  drop(actor: Actor, month: string, path: string, course: Course): Promise<MonthStatement>
}

export function auditRetention(use: Dependencies): AuditRetention {
  return { months: listMonths(use), export: exportMonth(use), drop: dropMonth(use) }
}

function listMonths({ db, years }: Dependencies): AuditRetention['months'] {
  return async () => {
    const { auditMonths } = db.stores
    const sums = new Map((await auditMonths.sums()).map(({ month, events }) => [month, events]))
    const here = new Set(await auditMonths.parts())
    const exported = new Map(
      (await auditMonths.exports()).map(({ month, exportedAt }) => [month, exportedAt]),
    )
    const now = new Date()
    return [...new Set([...sums.keys(), ...here])].sort().map((month) => ({
      month,
      events: sums.get(month) ?? 0,
      here: here.has(month),
      past_retention: isPastRetention(known(month), years, now),
      exported_at: exported.get(month)?.toISOString() ?? null,
    }))
  }
}

/** @throws StrongroomError `invalid_field` */
function known(name: string): AuditMonth {
  const month = parseMonth(name)
  if (month === undefined) {
    throw new StrongroomError('invalid_field', { detail: 'A month is written like 2020-01' })
  }
  return month
}

async function* eventsOf(
  { db }: Pick<Dependencies, 'db'>,
  month: AuditMonth,
  tell: (done: number) => void,
  signal: AbortSignal,
): AsyncGenerator<CodedEvent> {
  let done = 0
  for (let after: EventCursor | undefined; ; ) {
    signal.throwIfAborted()
    const page = await db.stores.auditMonths.eventsIn(month, after, PAGE)
    yield* page
    done += page.length
    tell(done)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    after = { at: last.at, id: last.eventId }
  }
}

function exportMonth(use: Dependencies): AuditRetention['export'] {
  const { db, files, signingKey } = use
  return async (actor, name, path, { signal, progress }) => {
    const month = known(name)
    if (month.end > new Date()) throw conflict('This month is not over.')
    const { events } = await db.stores.auditMonths.facts(month)
    // An empty part is exported like any other: it would stand in the way of all later ones.
    if (events === 0 && !(await db.stores.auditMonths.parts()).includes(name)) {
      throw new StrongroomError('not_found', { detail: 'No event of this month.' })
    }
    const tell = (done: number) => {
      progress(done, events)
    }
    const found = signedMonth(signingKey, name, eventsOf(use, month, tell, signal), use.head())
    await files.write(path, found.lines)
    const statement = found.statement()
    await db.transaction(async ({ audit, auditMonths }) => {
      await auditMonths.recordExport({
        month: name,
        events: statement.events,
        digest: Buffer.from(statement.sha256, 'hex'),
        exportedAt: new Date(statement.exported_at),
      })
      await audit.append(
        auditEvent(actor, {
          ...{ action: 'audit.export', outcome: 'success', subjectId: name },
          bytes: statement.events,
        }),
      )
    })
    return statement
  }
}

function dropMonth(use: Dependencies): AuditRetention['drop'] {
  const { db, signingKey, files } = use
  return async (actor, name, path, course) => {
    const month = known(name)
    await mayBeDropped(use, month)
    await use.monthParts.assertOwner()
    const statement = await checkMonth(signingKey.publicKey, files.read(path))
    await isThatExport(use, month, statement, course)
    const report = await use.verify(actor, course)
    if (Object.keys(report.counts).length > 0) {
      throw conflict('The log is not what was written: strongroom audit verify.')
    }
    // Of what was written meanwhile nothing is of that month: its clock would have leapt.
    await mayBeDropped(use, month)
    await db.stores.audit.append(
      auditEvent(actor, {
        ...{ action: 'audit.drop', outcome: 'success', subjectId: name },
        bytes: statement.events,
      }),
    )
    // The event first: broken off in between, the month is there and can be dropped again.
    await use.monthParts.drop(month)
    return statement
  }
}

async function mayBeDropped({ db, years }: Dependencies, month: AuditMonth): Promise<void> {
  const { auditMonths } = db.stores
  if (!isPastRetention(month, years, new Date())) {
    throw conflict(`It is to be kept for ${years} years (AUDIT_RETENTION_YEARS).`)
  }
  const parts = await auditMonths.parts()
  if (!parts.includes(month.name)) throw new StrongroomError('not_found')
  if (parts[0] !== month.name) throw conflict(`The oldest month goes first: ${parts[0] ?? ''}.`)
  const facts = await auditMonths.facts(month)
  if (facts.isHeld) throw new StrongroomError('legal_hold')
  if (facts.straddling > 0) {
    throw conflict(`${facts.straddling} seals tell of events of this month and of another one.`)
  }
  if (facts.sealed !== facts.events) throw conflict('Not all of its events are sealed.')
  if (facts.isInOutbox) throw conflict('Some of its events are still in the outbox.')
}

/** The file is the export that is on record, and the month is still what was exported. */
async function isThatExport(
  use: Dependencies,
  month: AuditMonth,
  statement: MonthStatement,
  { signal, progress }: Course,
): Promise<void> {
  const recorded = await use.db.stores.auditMonths.exported(month.name)
  if (statement.month !== month.name || recorded === undefined) {
    throw conflict('This file is not the export of that month.')
  }
  const hash = createHash('sha256')
  const tell = (done: number) => {
    progress(done, statement.events)
  }
  for await (const event of eventsOf(use, month, tell, signal)) hash.update(exportLine(event))
  const now = hash.digest()
  const isSame =
    now.toString('hex') === statement.sha256 && Buffer.compare(now, recorded.digest) === 0
  if (!isSame) throw conflict('The month is not what was exported: export it again.')
}

function conflict(detail: string): StrongroomError {
  return new StrongroomError('conflict', { detail })
}
