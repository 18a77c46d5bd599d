import { Type } from 'typebox'
import type { RecordGrants } from '../../../records/grants.js'
import type { App } from '../../app-type.js'
import { fileParams } from '../../schemas/file-schemas.js'
import { grantEntry } from '../../schemas/record-schemas.js'

/** GET /api/files/medical-records/:file_id/grants */
export function listGrantsRoute(app: App, use: { grants: Pick<RecordGrants, 'list'> }): void {
  app.get(
    '/api/files/medical-records/:file_id/grants',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Who has access to a medical record',
        params: fileParams,
        response: { 200: Type.Object({ grants: Type.Array(grantEntry) }) },
      },
    },
    async ({ actor, params }) => ({ grants: await use.grants.list(actor, params.file_id) }),
  )
}
