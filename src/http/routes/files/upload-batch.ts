import { Type } from 'typebox'
import { statusOf } from '../../../errors/error-codes.js'
import type { BatchResult, UploadBatch } from '../../../files/upload-batch.js'
import type { App } from '../../app-type.js'
import { type BodyLimits, uploadOf } from '../../multipart/upload-request.js'
import { created } from './answers.js'

/** POST /api/files/upload/batch */
export function uploadBatchRoute(
  app: App,
  use: { uploadBatch: UploadBatch; bodyLimits: BodyLimits },
): void {
  app.post(
    '/api/files/upload/batch',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'Upload several files',
        description: 'multipart/form-data with several parts `file`; one bad part spoils no other.',
        consumes: ['multipart/form-data'],
        response: {
          207: Type.Object({
            results: Type.Array(Type.Record(Type.String(), Type.Unknown())),
          }),
        },
      },
    },
    async (request, reply) => {
      const { parts } = uploadOf(request, use.bodyLimits, use.bodyLimits.maxBatchFiles)
      const results = await use.uploadBatch(request.actor, parts)
      return await reply.code(207).send({ results: results.map(resultOf) })
    },
  )
}

function resultOf(result: BatchResult): Record<string, unknown> {
  if ('file' in result) return { status: 201, ...created(result.file) }
  const { code, detail, extra, message } = result.error
  return { status: statusOf(code), code, detail: detail ?? message, ...extra }
}
