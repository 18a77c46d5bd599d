import type { ConfirmUpload } from '../../../documents/confirm-upload.js'
import type { App } from '../../app-type.js'
import { mediaTypeOf } from '../../media-type.js'
import { confirmBody, documentEntry } from '../../schemas/document-schemas.js'

/** POST /api/docs/confirm */
export function confirmRoute(app: App, { confirm }: { readonly confirm: ConfirmUpload }): void {
  app.post(
    '/api/docs/confirm',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'Say what was sent to a presigned URL',
        description:
          'Where the bytes are that, the document is there; else 422, and they are discarded. The same once more is answered the same.',
        body: confirmBody,
        response: { 201: documentEntry },
      },
    },
    async ({ actor, body }, reply) => {
      const said = { ...body, contentType: mediaTypeOf(body.contentType) }
      return await reply.code(201).send(await confirm(actor, said))
    },
  )
}
