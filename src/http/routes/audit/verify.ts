import { Type } from 'typebox'
import type { AuditLog } from '../../../audit/audit-log.js'
import { summarizeVerification } from '../../../audit/audit-report.js'
import type { VerifyAudit } from '../../../audit/verify-audit.js'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import { mayReadAudit } from '../../../people/policy.js'
import type { App } from '../../app-type.js'

/** POST /api/v1/audit/verify */
export function verifyAuditRoute(app: App, use: { audit: AuditLog; verify: VerifyAudit }): void {
  app.post(
    '/api/v1/audit/verify',
    {
      schema: {
        summary: 'Whether the log is what was written, and where not (auditors, administrators)',
        description: 'Reads all of it: a minute for a few million events. One at a time.',
        response: {
          200: Type.Object({
            clean: Type.Boolean(),
            events: Type.Integer(),
            seals: Type.Integer(),
            unsealed: Type.Integer({ description: 'Younger than the last seal of their process.' }),
            unsigned: Type.Integer({ description: 'Of commands that had no keys.' }),
            anchors: Type.Integer({ description: 'Signed heads that were compared.' }),
            head: Type.Object({
              seal: Type.Integer(),
              sealed_at: Type.Union([Type.String(), Type.Null()]),
            }),
            counts: Type.Record(Type.String(), Type.Integer()),
            findings: Type.Array(Type.Record(Type.String(), Type.Unknown())),
          }),
        },
      },
    },
    async ({ actor, raw }) => {
      const decision = mayReadAudit(actor.roles)
      if (!decision.allow) {
        const reason = decision.code
        await use.audit.note(actor, { action: 'audit.verify', outcome: 'denied', reason })
        throw new StrongroomError(decision.code)
      }
      const gone = new AbortController()
      const leave = () => {
        gone.abort()
      }
      raw.socket.once('close', leave)
      try {
        const report = await use.verify(actor, { signal: gone.signal, progress: () => undefined })
        return summarizeVerification(report)
      } finally {
        raw.socket.off('close', leave)
      }
    },
  )
}
