import { Type } from 'typebox'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import { isFileId } from '../../../files/file-id.js'
import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { isShownInline } from '../../bytes/serve-bytes.js'
import { documentParams, documentUrl } from '../../schemas/document-schemas.js'
import { askedWith, ticketUrl } from '../tickets/asked-with.js'

/** GET /api/docs/:id/download */
export function downloadDocumentRoute(
  app: App,
  { tickets }: { readonly tickets: Pick<TicketBook, 'issue'> },
): void {
  app.get(
    '/api/docs/:id/download',
    {
      config: { forPerson: 'download' },
      schema: {
        summary: 'A URL that hands the document out, for a while; or the way there',
        params: documentParams,
        querystring: Type.Object({
          redirect: Type.Optional(Type.String({ description: '`true`: 302 to the URL.' })),
        }),
        response: { 200: documentUrl },
      },
    },
    async (request, reply) => {
      const fileId = request.params.id
      if (!isFileId(fileId)) throw new StrongroomError('not_found')
      const wish = {
        fileId,
        action: 'download',
        seconds: undefined,
        isShown: isShownInline,
      } as const
      const issued = await tickets.issue(request.actor, wish, askedWith(request))
      const url = ticketUrl(request, issued)
      reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
      if (request.query.redirect === 'true') return await reply.redirect(url, 302)
      return { url, expires_at: issued.opensUntil.toISOString() }
    },
  )
}
