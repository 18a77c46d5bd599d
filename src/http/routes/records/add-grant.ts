import type { RecordGrants } from '../../../records/grants.js'
import type { App } from '../../app-type.js'
import { fileParams } from '../../schemas/file-schemas.js'
import { grantBody, grantEntry, timeOf } from '../../schemas/record-schemas.js'

/** POST /api/files/medical-records/:file_id/grants */
export function addGrantRoute(app: App, use: { grants: Pick<RecordGrants, 'add'> }): void {
  app.post(
    '/api/files/medical-records/:file_id/grants',
    {
      // A purpose too long is said to be that, not a body too large.
      bodyLimit: 262_144,
      config: { secondFactor: 'grants' },
      schema: {
        summary: 'Share a medical record, or change what was shared',
        params: fileParams,
        body: grantBody,
        response: { 201: grantEntry },
      },
    },
    async ({ actor, body, params }, reply) => {
      const { user_id, can_download, can_share, expires_at, purpose } = body
      const grant = await use.grants.add(actor, params.file_id, {
        userId: String(user_id),
        canDownload: can_download,
        canShare: can_share,
        expiresAt: typeof expires_at === 'string' ? timeOf('expires_at', expires_at) : undefined,
        purpose,
      })
      return await reply.code(201).send(grant)
    },
  )
}
