import { setTimeout as pause } from 'node:timers/promises'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import { alertEvent } from './alert-event.js'
import type { Actor } from './audit-events.js'
import { auditEvent } from './audit-log.js'
import type { Finding } from './findings.js'
import type { AuditStore, SealStore } from './ports.js'
import { type Head } from './seal.js'
import { openHead, type SignedHead } from './signed-head.js'
import type { LogVerification, VerifyCourse } from './verify-log.js'

const ASK_AGAIN_MS = 50

interface Dependencies {
  readonly db: Transactions<{ readonly audit: AuditStore; readonly seals: SealStore }>
  readonly verifyLog: (course: VerifyCourse) => Promise<LogVerification>
  readonly sealNow: () => Promise<void>
  readonly head: () => Head
  readonly writerId: string
  /** PEM of the key that signs heads. */
  readonly publicKey: string
  /** Heads this deployment has put outside and can read back. */
  readonly keptHeads: () => Promise<readonly string[]>
  /** Milliseconds within which a process that lives has sealed what it wrote. */
  readonly settleMs: number
}

export interface VerifyWish extends Pick<VerifyCourse, 'signal' | 'progress'> {
  /** Heads from elsewhere, a signed envelope each. */
  readonly heads?: readonly string[] | undefined
}

export type VerifyAudit = (actor: Actor, wish: VerifyWish) => Promise<LogVerification>

/**
 * Verifies the audit log, and puts on record that it was and how many findings there were. What was
 * written just before is sealed first, by whichever process wrote it. One at a time.
 * @throws StrongroomError `conflict`
 */
export function verifyAudit(use: Dependencies): VerifyAudit {
  let isUnderWay = false
  return async (actor, wish) => {
    if (isUnderWay) {
      throw new StrongroomError('conflict', { detail: 'A verification of the log is under way' })
    }
    isUnderWay = true
    try {
      return await verifyOnRecord(use, actor, wish)
    } finally {
      isUnderWay = false
    }
  }
}

async function verifyOnRecord(
  use: Dependencies,
  actor: Actor,
  { heads = [], signal, progress }: VerifyWish,
): Promise<LogVerification> {
  const { db } = use
  await use.sealNow()
  await settleOthers(use, signal)
  const given = [...(await use.keptHeads()), ...heads]
  const opened = given.map((line) => openHead(use.publicKey, line))
  const anchors = opened.filter((head): head is SignedHead => head !== undefined)
  const report = await use.verifyLog({ seen: use.head(), anchors, signal, progress })
  const unsigned = opened.length - anchors.length
  const findings = Object.values(report.counts).reduce((sum, count) => sum + count, unsigned)
  await db.transaction(async ({ audit }) => {
    await audit.append(
      auditEvent(actor, {
        action: 'audit.verify',
        outcome: findings === 0 ? 'success' : 'failed',
        ...(findings === 0 ? {} : { reason: 'damaged' }),
        bytes: findings,
      }),
    )
    if (findings > 0) await audit.append(alertEvent('audit_damaged', { count: findings }))
  })
  return unsigned === 0 ? report : withUnsigned(report, unsigned)
}

/**
 * Waits until the other processes have sealed what they wrote before this. One that was killed, or is of
 * the version before, never says so: then no longer than that takes,
 * and not again for the same one.
 */
async function settleOthers(
  { db, writerId, settleMs }: Pick<Dependencies, 'db' | 'writerId' | 'settleMs'>,
  signal: AbortSignal,
): Promise<void> {
  const { seals } = db.stores
  if ((await seals.ask(writerId)) === 0) return
  const until = performance.now() + settleMs
  while (performance.now() < until && (await seals.unanswered(writerId, settleMs)) > 0) {
    await pause(ASK_AGAIN_MS, undefined, { signal })
  }
}

/** Who kept the heads cannot be believed, or they are another deployment's. */
function withUnsigned(report: LogVerification, unsigned: number): LogVerification {
  const finding: Finding = { kind: 'anchor_unsigned' }
  return {
    ...report,
    counts: { ...report.counts, anchor_unsigned: unsigned },
    findings: [finding, ...report.findings],
  }
}
