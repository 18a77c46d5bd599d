import type { AuditLog } from '../../../audit/audit-log.js'
import type { AccessHistory } from '../../../files/access-history.js'
import type { App } from '../../app-type.js'
import { accessLogAnswer, accessLogQuery } from '../../schemas/file-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

/** GET /api/patients/me/access-log */
export function myAccessLogRoute(
  app: App,
  use: { audit: AuditLog; accessHistory: AccessHistory },
): void {
  app.get(
    '/api/patients/me/access-log',
    {
      schema: {
        summary: 'Every access to your medical records, refused ones too, newest first',
        querystring: accessLogQuery,
        response: { 200: accessLogAnswer },
      },
    },
    async ({ actor, query }) => {
      const patientId = actor.userId
      const paging = pagingOf(query)
      const { entries, next } = await use.accessHistory({ patientId, ...paging }, patientId)
      await use.audit.note(actor, {
        action: 'patient.access_log_read',
        outcome: 'success',
        patientId,
      })
      return { entries, next_cursor: encodeCursor(next) }
    },
  )
}
