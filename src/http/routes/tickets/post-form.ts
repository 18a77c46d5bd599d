import { Type } from 'typebox'
import type { ReceiveUpload } from '../../../documents/receive-upload.js'
import { parseDigestHeader } from '../../../files/content-digest.js'
import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { mediaTypeOf } from '../../media-type.js'
import { withPostedForm } from '../../multipart/posted-form.js'
import { type BodyLimits, uploadOf } from '../../multipart/upload-request.js'
import { callerOf } from '../../plugins/actor.js'
import type { Refusals } from '../../plugins/refusals.js'
import { receivedBody, receivedDocument } from '../../schemas/document-schemas.js'
import { openTicketParams } from '../../schemas/ticket-schemas.js'
import { uploadTicketIn } from './upload-ticket.js'

interface Use {
  readonly tickets: Pick<TicketBook, 'idIn' | 'useForUpload'>
  readonly receive: ReceiveUpload
  readonly refusals: Refusals
  readonly bodyLimits: BodyLimits
}

/** What a client may ask to be answered with; S3's names and default. */
const statuses = [200, 201] as const

/** POST /t/:ticket, for whoever has the URL: the form that clients of S3 send. */
export function postByTicketRoute(app: App, { tickets, receive, refusals, bodyLimits }: Use): void {
  app.post(
    '/t/:ticket',
    {
      schema: {
        summary: 'The bytes of a document, as a form, by the URL that was presigned for it',
        description:
          'multipart/form-data: `key` and `Content-Type` where they were given, then one part `file`; `success_action_status` 200 or 201 asks for a body. Other fields, and what follows the file, count for nothing. Refused as the PUT is.',
        params: openTicketParams,
        security: [],
        consumes: ['multipart/form-data'],
        response: { 200: receivedDocument, 201: receivedDocument, 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { ticket, actor } = await uploadTicketIn(request.params.ticket, callerOf(request), {
        ...{ tickets, refusals },
      })
      const { parts, headerDigest } = uploadOf(request, bodyLimits)
      const { received, wish } = await withPostedForm(parts, async ({ fields, file, bytes }) => ({
        wish: fields.get('success_action_status'),
        received: await receive(actor, ticket, {
          contentType: mediaTypeOf(fields.get('content-type') ?? file.contentType),
          key: fields.get('key'),
          sha256:
            file.contentDigest === undefined ? headerDigest : parseDigestHeader(file.contentDigest),
          ...{ length: undefined, bytes },
        }),
      }))
      const status = statuses.find((each) => String(each) === wish)
      if (status === undefined) return await reply.code(204).send(null)
      return await reply.code(status).send(receivedBody(received))
    },
  )
}
