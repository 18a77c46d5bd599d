import type { DeleteRecord } from '../../../records/delete-record.js'
import type { App } from '../../app-type.js'
import { deletion, fileParams } from '../../schemas/file-schemas.js'

/** DELETE /api/files/medical-records/:file_id/delete */
export function deleteRecordRoute(app: App, use: { delete: DeleteRecord }): void {
  app.delete(
    '/api/files/medical-records/:file_id/delete',
    {
      config: { forPerson: 'delete' },
      schema: {
        summary: 'Delete a medical record: its uploader while assigned, or an administrator',
        description:
          'Gone at once; can be restored until `purge_after`. What happened to it stays.',
        params: fileParams,
        response: { 200: deletion },
      },
    },
    async ({ actor, params }) => await use.delete(actor, params.file_id),
  )
}
