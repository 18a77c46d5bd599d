import type { AuditLog } from '../../../audit/audit-log.js'
import type { AccessHistory } from '../../../files/access-history.js'
import type { RecordAccess } from '../../../records/record-access.js'
import type { App } from '../../app-type.js'
import { accessLogAnswer, accessLogQuery, fileParams } from '../../schemas/file-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

interface Use {
  readonly access: RecordAccess
  readonly audit: AuditLog
  readonly accessHistory: AccessHistory
}

/** GET /api/files/medical-records/:file_id/access-log */
export function recordAccessLogRoute(app: App, use: Use): void {
  app.get(
    '/api/files/medical-records/:file_id/access-log',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Every access to a medical record, for its patient, newest first',
        params: fileParams,
        querystring: accessLogQuery,
        response: { 200: accessLogAnswer },
      },
    },
    async ({ actor, params, query }) => {
      const action = 'record.access_log_read'
      const paging = pagingOf(query)
      const { entry } = await use.access.permit(actor, params.file_id, 'read_access_log', {
        audit: action,
        deletedToo: true,
      })
      const { fileId, ownerId: patientId } = entry.file
      const { entries, next } = await use.accessHistory.page({ fileId, ...paging }, patientId)
      await use.audit.note(actor, { action, outcome: 'success', fileId, patientId })
      return { entries, next_cursor: encodeCursor(next) }
    },
  )
}
