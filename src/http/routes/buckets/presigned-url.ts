import type { AskForDownload } from '../../../buckets/ask-for-download.js'
import type { AskForObject } from '../../../buckets/ask-for-upload.js'
import type { App } from '../../app-type.js'
import { mediaTypeOf } from '../../media-type.js'
import { presignedUrl, presignedUrlBody } from '../../schemas/bucket-schemas.js'
import { askedWith, ticketUrl } from '../tickets/asked-with.js'

interface Use {
  readonly askForUpload: AskForObject
  readonly askForDownload: AskForDownload
}

/** POST s3/presigned-url */
export function presignedUrlRoute(app: App, { askForUpload, askForDownload }: Use): void {
  app.post(
    '/api/v1/s3/presigned-url',
    {
      config: { forPerson: 'transfer' },
      schema: {
        summary: 'A URL that takes the bytes of one object, or hands them out',
        description:
          'What is sent is there when the PUT is answered, in the place of an object that was there before. Your permissions are asked again when the URL is used.',
        body: presignedUrlBody,
        response: { 200: presignedUrl },
      },
    },
    async (request, reply) => {
      const { bucket_name: bucket, object_key: key, operation, size, ...body } = request.body
      const what = { bucket, key, seconds: body.expiry_seconds ?? undefined }
      const token = askedWith(request)
      const type = body.content_type ?? ''
      const contentType = type === '' ? undefined : mediaTypeOf(type)
      const isUpload = operation === 'upload'
      const issued = isUpload
        ? await askForUpload(
            request.actor,
            { ...what, contentType, size: size ?? undefined },
            token,
          )
        : await askForDownload(request.actor, what, token)
      reply.header('cache-control', 'no-store')
      return {
        presigned_url: ticketUrl(request, issued),
        method: isUpload ? ('PUT' as const) : ('GET' as const),
        headers: isUpload && contentType !== undefined ? { 'Content-Type': contentType } : {},
        fields: {},
        expires_at: issued.opensUntil.toISOString(),
      }
    },
  )
}
