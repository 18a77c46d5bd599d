import { Type } from 'typebox'
import { type AuditReport, summarizeVerification } from '../audit/audit-report.js'
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

export interface AuditDependencies {
  readonly verifyAudit: VerifyAudit
}

/** Looking after the audit log. */
export function auditOperations({ verifyAudit }: AuditDependencies) {
  return {
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
