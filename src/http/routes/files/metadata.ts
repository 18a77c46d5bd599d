import type { AuditLog } from '../../../audit/audit-log.js'
import { summarize } from '../../../files/file-summary.js'
import { withOpened } from '../../../files/open-entry.js'
import type { OwnFiles } from '../../../files/own-files.js'
import type { App } from '../../app-type.js'
import { fileEntry, fileParams } from '../../schemas/file-schemas.js'

/** GET /api/files/:file_id/metadata */
export function metadataRoute(app: App, use: { own: OwnFiles; audit: AuditLog }): void {
  app.get(
    '/api/files/:file_id/metadata',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'What is known of a file',
        params: fileParams,
        response: { 200: fileEntry },
      },
    },
    async ({ actor, params }) => {
      const action = 'file.metadata_read'
      const opened = await use.own.open(actor, params.file_id, { action })
      const { file, version } = opened.entry
      return await withOpened(opened, async ({ grant, metadata }) => {
        const { grantId } = grant
        const facts = { fileId: file.fileId, version: version.version, grantId }
        await use.audit.note(actor, { action, outcome: 'success', ...facts })
        return summarize(file, metadata)
      })
    },
  )
}
