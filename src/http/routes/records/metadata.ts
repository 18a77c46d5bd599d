import type { AuditLog } from '../../../audit/audit-log.js'
import { basisOf, withOpened } from '../../../files/open-entry.js'
import type { RecordAccess } from '../../../records/record-access.js'
import { summarizeRecord } from '../../../records/record-summary.js'
import type { App } from '../../app-type.js'
import { fileParams } from '../../schemas/file-schemas.js'
import { recordEntry } from '../../schemas/record-schemas.js'

/** GET /api/files/medical-records/:file_id/metadata */
export function recordMetadataRoute(
  app: App,
  use: { access: RecordAccess; audit: AuditLog },
): void {
  app.get(
    '/api/files/medical-records/:file_id/metadata',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'What is known of a medical record',
        params: fileParams,
        response: { 200: recordEntry },
      },
    },
    async ({ actor, params }) => {
      const action = 'record.metadata_read'
      const options = { audit: action } as const
      const opened = await use.access.open(actor, params.file_id, 'read_metadata', options)
      return await withOpened(opened, async ({ entry: { file, version }, metadata }) => {
        await use.audit.note(actor, {
          action,
          outcome: 'success',
          fileId: file.fileId,
          patientId: file.ownerId,
          ...basisOf(opened),
          version: version.version,
        })
        return summarizeRecord(file, metadata)
      })
    },
  )
}
