import type { Transactions } from '../ports/transactions.js'
import { parseMonth } from './audit-month.js'
import { UNSIGNED_WRITER } from './coded-events.js'
import { type AuditKeys } from './event-code.js'
import { type Finding, type FindingKind, findings as newFindings } from './findings.js'
import type { SealStore, VerifyStore } from './ports.js'
import { type Head, START } from './seal.js'
import { verifyChain } from './verify-chain.js'
import { isGenuine, verifyEvents } from './verify-events.js'

/** Rows put back that are told one by one. */
const MOST_ROWS = 1_000

interface Dependencies {
  readonly db: Transactions<{ readonly seals: SealStore; readonly verify: VerifyStore }>
  readonly keys: AuditKeys
}

export interface VerifyCourse {
  /** The last seal a running process has seen. */
  readonly seen?: Head | undefined
  /** Heads that were put outside and are signed by this deployment. */
  readonly anchors?: readonly Pick<Head, 'number' | 'digest'>[]
  readonly signal: AbortSignal
  /** Of as many events as there are in all, as far as that is known. */
  readonly progress: (done: number, total: number) => void
}

export interface LogVerification {
  readonly seals: number
  readonly events: number
  /** Genuine, and not sealed yet. */
  readonly unsealed: number
  /** Without a code: older than codes, or of a command that had no keys. */
  readonly unsigned: number
  /** Up to which seal, of what time. */
  readonly head: { readonly seal: number; readonly sealedAt: Date | undefined }
  readonly anchors: number
  readonly counts: Readonly<Partial<Record<FindingKind, number>>>
  readonly findings: readonly Finding[]
}

/**
 * Whether the audit log is what was written: the chain of seals, every event, and that nothing stands in
 * the database which the log says was ended. Changes nothing. What is written meanwhile is left out.
 */
export function verifyLog({ db, keys }: Dependencies) {
  return async (course: VerifyCourse): Promise<LogVerification> => {
    const { signal } = course
    const { seals, verify: log } = db.stores
    const findings = newFindings()
    // Ended before the last seal is read: all they wrote is in it or before.
    const ended = new Set(await log.ended())
    const last = await seals.last()
    const upTo = last?.number ?? 0
    const total = last?.total ?? 0
    const tell = (done: number) => {
      course.progress(done, total)
    }
    const tellChain = () => {
      tell(0)
    }
    const chain = await verifyChain(
      { seals, keys, findings },
      { upTo, heads: headsOf(course), signal, progress: tellChain },
    )
    const unsignedUpTo = ((await log.firstSigned()) ?? upTo + 1) - 1
    const droppedBefore = await droppedUpTo(log, keys)
    const counts = await verifyEvents(
      { log, keys, findings },
      { upTo, ended, unsignedUpTo, droppedBefore, signal, progress: tell },
    )
    for (const { table, ids, eventId, at } of await log.putBack(MOST_ROWS)) {
      findings.add({ kind: 'row_put_back', eventId, at, row: { table, ...ids } })
    }
    return {
      seals: chain,
      ...counts,
      head: { seal: upTo, sealedAt: last?.sealedAt },
      anchors: course.anchors?.length ?? 0,
      counts: findings.counts,
      findings: findings.kept,
    }
  }
}

/**
 * Up to where months were dropped. The genuine event of each says so: a table could be written to by whoever
 * took a month away.
 */
async function droppedUpTo(log: VerifyStore, keys: AuditKeys): Promise<Date | undefined> {
  let latest: Date | undefined
  for (const event of await log.drops()) {
    if (event.writerId === UNSIGNED_WRITER || !isGenuine(keys, event)) continue
    const end = parseMonth(event.subjectId ?? '')?.end
    if (end !== undefined && (latest === undefined || end > latest)) latest = end
  }
  return latest
}

/** By number; whoever rewrote the log made another of the same number. */
function headsOf({ seen = START, anchors = [] }: VerifyCourse): Map<number, Set<string>> {
  const heads = new Map<number, Set<string>>()
  for (const { number, digest } of [...anchors, ...(seen.number > 0 ? [seen] : [])]) {
    const digests = heads.get(number) ?? new Set()
    heads.set(number, digests.add(Buffer.from(digest).toString('hex')))
  }
  return heads
}
