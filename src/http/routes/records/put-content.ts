import type { ReplaceContent } from '../../../records/replace-content.js'
import type { App } from '../../app-type.js'
import { type BodyLimits, uploadOf } from '../../multipart/upload-request.js'
import { fileParams } from '../../schemas/file-schemas.js'
import { recordEntry } from '../../schemas/record-schemas.js'

/** PUT /api/files/medical-records/:file_id/content */
export function putRecordContentRoute(
  app: App,
  use: { replaceContent: ReplaceContent; bodyLimits: BodyLimits },
): void {
  app.put(
    '/api/files/medical-records/:file_id/content',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'Upload a new version of a medical record you made',
        description: 'The same bytes again make no new version.',
        consumes: ['multipart/form-data'],
        params: fileParams,
        response: { 200: recordEntry },
      },
    },
    async (request) =>
      await use.replaceContent(
        request.actor,
        request.params.file_id,
        uploadOf(request, use.bodyLimits),
      ),
  )
}
