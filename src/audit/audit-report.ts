import type { Finding } from './findings.js'
import type { LogVerification } from './verify-log.js'

/** A verification as commands and calls tell it. */
export interface AuditReport {
  readonly clean: boolean
  readonly events: number
  readonly seals: number
  readonly unsealed: number
  readonly unsigned: number
  readonly anchors: number
  readonly head: { readonly seal: number; readonly sealed_at: string | null }
  /** By kind, all of them. */
  readonly counts: Record<string, number>
  /** The first of them. */
  readonly findings: Record<string, unknown>[]
}

export function summarizeVerification(report: LogVerification): AuditReport {
  const { events, seals, unsealed, unsigned, anchors, head, counts, findings } = report
  return {
    clean: findings.length === 0,
    ...{ events, seals, unsealed, unsigned, anchors },
    head: { seal: head.seal, sealed_at: head.sealedAt?.toISOString() ?? null },
    counts: { ...counts },
    findings: findings.map(summarizeFinding),
  }
}

function summarizeFinding(finding: Finding): Record<string, unknown> {
  const { kind, seal, lastSeal, writerId, number, lastNumber, eventId, at, row } = finding
  const all = {
    ...{ kind, seal, last_seal: lastSeal, writer_id: writerId, number, last_number: lastNumber },
    ...{ event_id: eventId, at: at?.toISOString(), row },
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
