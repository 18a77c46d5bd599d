import { Type } from 'typebox'
import type { CheckFile } from '../../../files/check-file.js'
import type { App } from '../../app-type.js'

/** POST /api/files/check */
export function checkRoute(app: App, use: { check: CheckFile }): void {
  app.post(
    '/api/files/check',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Whether you already have a file of these bytes',
        body: Type.Object(
          {
            sha256: Type.String({ pattern: '^[0-9a-fA-F]{64}$' }),
            size: Type.Integer({ minimum: 0, description: 'Bytes.' }),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            exists: Type.Boolean(),
            file_id: Type.Optional(Type.String({ format: 'uuid' })),
          }),
        },
      },
    },
    async (request) => {
      const { sha256, size } = request.body
      return await use.check(request.actor, { sha256: Buffer.from(sha256, 'hex'), size })
    },
  )
}
