import { withOpened } from '../../../files/open-entry.js'
import type { UpdateFile } from '../../../files/update-file.js'
import type { RecordAccess } from '../../../records/record-access.js'
import { summarizeRecord } from '../../../records/record-summary.js'
import type { App } from '../../app-type.js'
import { changesBody, fileParams } from '../../schemas/file-schemas.js'
import { recordEntry } from '../../schemas/record-schemas.js'

/** PATCH /api/files/medical-records/:file_id/metadata */
export function updateRecordRoute(
  app: App,
  use: { access: RecordAccess; update: UpdateFile },
): void {
  app.patch(
    '/api/files/medical-records/:file_id/metadata',
    {
      config: { forPerson: 'update' },
      schema: {
        summary: 'Change name, label or notes of a medical record you made',
        params: fileParams,
        body: changesBody,
        response: { 200: recordEntry },
      },
    },
    async ({ actor, body, params }) => {
      const opened = await use.access.open(actor, params.file_id, 'change_metadata', {
        audit: 'record.update',
      })
      return await withOpened(opened, async ({ entry }) => {
        const { metadata, updatedAt } = await use.update(actor, opened, body)
        return summarizeRecord({ ...entry.file, updatedAt }, metadata)
      })
    },
  )
}
