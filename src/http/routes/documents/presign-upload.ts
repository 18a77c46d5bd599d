import type { AskForUpload } from '../../../documents/ask-for-upload.js'
import type { App } from '../../app-type.js'
import { mediaTypeOf } from '../../media-type.js'
import {
  plainPresignBody,
  plainPresigned,
  presignBody,
  presigned,
} from '../../schemas/document-schemas.js'
import { askedWith, ticketUrl } from '../tickets/asked-with.js'

interface Use {
  readonly ask: AskForUpload
}

/** POST /api/docs/presign-upload */
export function presignUploadRoute(app: App, { ask }: Use): void {
  app.post(
    '/api/docs/presign-upload',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'A URL that takes the bytes of one document',
        description:
          'With `patientId`, for the patient or a clinician assigned to them, it becomes a medical record. It is there once `POST /api/docs/confirm` says so.',
        body: presignBody,
        response: { 200: presigned },
      },
    },
    async (request, reply) => {
      const { medicalRecordTypeId, contentType, ...body } = request.body
      const wish = {
        ...body,
        recordTypeId: medicalRecordTypeId,
        contentType: mediaTypeOf(contentType),
      }
      const place = await ask(request.actor, { family: 'docs', ...wish }, askedWith(request))
      reply.header('cache-control', 'no-store')
      return {
        ...{ id: place.id, key: place.key, url: ticketUrl(request, place.ticket) },
        headers: { 'Content-Type': place.contentType },
        expires_at: place.ticket.opensUntil.toISOString(),
      }
    },
  )
}

/** POST /presign-upload, for clients that confirm nothing. */
export function plainPresignUploadRoute(app: App, { ask }: Use): void {
  app.post(
    '/presign-upload',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'A URL that takes the bytes of one document, which is there then',
        body: plainPresignBody,
        response: { 200: plainPresigned },
      },
    },
    async (request, reply) => {
      const { filename, content_type: contentType, size } = request.body
      const wish = { filename, contentType: mediaTypeOf(contentType), size }
      const place = await ask(request.actor, { family: 'presign', ...wish }, askedWith(request))
      reply.header('cache-control', 'no-store')
      return {
        ...{ URL: ticketUrl(request, place.ticket), key: place.key, id: place.id },
        expiry_timestamp: place.ticket.opensUntil.toISOString(),
      }
    },
  )
}
