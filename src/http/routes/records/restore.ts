import { Type } from 'typebox'
import type { RestoreRecord } from '../../../records/delete-record.js'
import type { App } from '../../app-type.js'
import { fileParams } from '../../schemas/file-schemas.js'

/** POST /api/files/medical-records/:file_id/restore */
export function restoreRecordRoute(app: App, use: { restore: RestoreRecord }): void {
  app.post(
    '/api/files/medical-records/:file_id/restore',
    {
      config: { forPerson: 'delete' },
      schema: {
        summary: 'Undo a deletion',
        params: fileParams,
        response: { 200: Type.Object({ file_id: Type.String({ format: 'uuid' }) }) },
      },
    },
    async ({ actor, params }) => await use.restore(actor, params.file_id),
  )
}
