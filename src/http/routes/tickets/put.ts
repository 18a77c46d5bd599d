import type { ReceiveUpload } from '../../../documents/receive-upload.js'
import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { receiveBody } from '../../bytes/receive-body.js'
import { mediaTypeOf } from '../../media-type.js'
import { type BodyLimits, digestOf } from '../../multipart/upload-request.js'
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

/** PUT /t/:ticket, for whoever has the URL. */
export function putByTicketRoute(app: App, use: Use): void {
  const { tickets, receive, refusals, bodyLimits } = use
  app.put(
    '/t/:ticket',
    {
      config: { readsBody: true },
      schema: {
        summary: 'The bytes of a document, by the URL that was presigned for it',
        description:
          'Without a token, with exactly the headers that came with the URL. `Content-Digest` (RFC 9530) is verified. 410: the URL has expired, or was used; 422: not what was asked for, and nothing is kept.',
        params: openTicketParams,
        security: [],
        consumes: ['*/*'],
        response: { 200: receivedDocument },
      },
    },
    async (request) => {
      const { ticket, actor } = await uploadTicketIn(request.params.ticket, callerOf(request), {
        ...{ tickets, refusals },
      })
      const received = await receive(actor, ticket, {
        contentType: mediaTypeOf(request.headers['content-type']),
        length: lengthOf(request.headers['content-length']),
        sha256: digestOf(request),
        bytes: receiveBody(request, {
          idleMs: bodyLimits.idleSeconds * 1_000,
          minBytesPerSecond: bodyLimits.minBytesPerSecond,
        }),
      })
      return receivedBody(received)
    },
  )
}

const lengthOf = (header: string | undefined) => (header === undefined ? undefined : Number(header))
