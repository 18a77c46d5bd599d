import type { AuditLog } from '../../../audit/audit-log.js'
import type { AccessHistory } from '../../../files/access-history.js'
import type { OwnFiles } from '../../../files/own-files.js'
import type { App } from '../../app-type.js'
import { accessLogAnswer, accessLogQuery, fileParams } from '../../schemas/file-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

interface Use {
  readonly own: OwnFiles
  readonly audit: AuditLog
  readonly accessHistory: AccessHistory
}

/** GET /api/files/:file_id/access-log */
export function accessLogRoute(app: App, use: Use): void {
  app.get(
    '/api/files/:file_id/access-log',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Every access to a file, newest first',
        params: fileParams,
        querystring: accessLogQuery,
        response: { 200: accessLogAnswer },
      },
    },
    async ({ actor, params, query }) => {
      const action = 'file.access_log_read'
      const paging = pagingOf(query)
      const { entry } = await use.own.findAny(actor, params.file_id, { action })
      const { fileId, ownerId } = entry.file
      const { entries, next } = await use.accessHistory.page({ fileId, ...paging }, ownerId)
      await use.audit.note(actor, { action, outcome: 'success', fileId })
      return { entries, next_cursor: encodeCursor(next) }
    },
  )
}
