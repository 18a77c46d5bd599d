import type { AuditLog } from '../../../audit/audit-log.js'
import type { AccessHistory } from '../../../files/access-history.js'
import type { App } from '../../app-type.js'
import { sendAccessLog } from '../../exports/access-exports.js'
import { accessExportQuery, timesOf } from '../../schemas/audit-schemas.js'
import { accessLogAnswer } from '../../schemas/file-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

/** GET /api/patients/me/access-log */
export function myAccessLogRoute(
  app: App,
  use: { audit: AuditLog; accessHistory: AccessHistory },
): void {
  app.get(
    '/api/patients/me/access-log',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Every access to your medical records, refused ones too, newest first',
        querystring: accessExportQuery,
        response: { 200: accessLogAnswer },
      },
    },
    async ({ actor, query }, reply) => {
      const patientId = actor.userId
      const { format = 'json', from, to, ...paging } = query
      const { limit, after } = pagingOf(paging)
      const wish = { patientId, ...timesOf({ ...(from && { from }), ...(to && { to }) }) }
      const noted = { action: 'patient.access_log_read', outcome: 'success', patientId } as const
      if (format !== 'json') {
        await use.audit.note(actor, noted)
        const entries = use.accessHistory.stream({ ...wish, to: wish.to ?? new Date() }, patientId)
        await sendAccessLog(reply, format, entries, wish)
        return
      }
      const page = await use.accessHistory.page({ ...wish, after, limit }, patientId)
      await use.audit.note(actor, noted)
      return { entries: page.entries, next_cursor: encodeCursor(page.next) }
    },
  )
}
