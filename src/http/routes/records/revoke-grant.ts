import { Type } from 'typebox'
import type { RecordGrants } from '../../../records/grants.js'
import type { App } from '../../app-type.js'

/** DELETE /api/files/medical-records/:file_id/grants/:user_id */
export function revokeGrantRoute(app: App, use: { grants: Pick<RecordGrants, 'revoke'> }): void {
  app.delete(
    '/api/files/medical-records/:file_id/grants/:user_id',
    {
      schema: {
        summary: 'Take back what a person was granted on a medical record',
        params: Type.Object({ file_id: Type.String(), user_id: Type.String() }),
        response: {
          200: Type.Object({
            file_id: Type.String({ format: 'uuid' }),
            user_id: Type.String(),
            revoked_at: Type.String({ format: 'date-time' }),
          }),
        },
      },
    },
    async ({ actor, params }) => await use.grants.revoke(actor, params.file_id, params.user_id),
  )
}
