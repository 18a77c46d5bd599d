import { Type } from 'typebox'
import { type AuditReport, summarizeVerification } from '../audit/audit-report.js'
import type { AuditRetention } from '../audit/audit-retention.js'
import type { VerifyAudit } from '../audit/verify-audit.js'
import { operatorActor } from '../erasure/operator.js'
import { operation } from './operation.js'

const verifyInput = Type.Object(
  {
    heads: Type.Optional(Type.Array(Type.String({ maxLength: 2_048 }), { maxItems: 100_000 })),
    by: Type.String({ minLength: 1, maxLength: 128 }),
  },
  { additionalProperties: false },
)

const nothing = Type.Object({}, { additionalProperties: false })

const monthInput = Type.Object(
  {
    month: Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])$' }),
    /** Absolute. */
    path: Type.String({ minLength: 1, maxLength: 4_096, pattern: '^/' }),
    by: Type.String({ minLength: 1, maxLength: 128 }),
  },
  { additionalProperties: false },
)

export interface AuditStatus {
  /** Events of this process that are in no seal yet. */
  readonly waiting: number
  /** Milliseconds since the oldest of them was written; 0 where there is none. */
  readonly lag_ms: number
  /** The last seal this process has seen. */
  readonly head: { readonly seal: number; readonly digest: string; readonly events: number }
}

export interface AuditDependencies {
  readonly verifyAudit: VerifyAudit
  readonly auditStatus: () => AuditStatus
  readonly auditRetention: AuditRetention
}

/** Looking after the audit log. */
export function auditOperations({ verifyAudit, auditStatus, auditRetention }: AuditDependencies) {
  return {
    'audit-months': operation(nothing, () => auditRetention.months()),
    'audit-export': operation(monthInput, ({ month, path, by }, { signal, progress }) =>
      auditRetention.export(operatorActor(by), month, path, {
        signal,
        progress: (done, total) => {
          progress({ done, total: Math.max(done, total) })
        },
      }),
    ),
    'audit-drop': operation(monthInput, ({ month, path, by }, { signal, progress }) =>
      auditRetention.drop(operatorActor(by), month, path, {
        signal,
        progress: (done, total) => {
          progress({ done, total: Math.max(done, total) })
        },
      }),
    ),
    'audit-status': operation(nothing, () => Promise.resolve(auditStatus())),
    'audit-verify': operation(
      verifyInput,
      async ({ heads, by }, { signal, progress }): Promise<AuditReport> => {
        const report = await verifyAudit(operatorActor(by), {
          ...{ heads, signal },
          progress: (done, total) => {
            progress({ done, total: Math.max(done, total) })
          },
        })
        return summarizeVerification(report)
      },
    ),
  }
}
