import { Type } from 'typebox'
import type { UploadFile } from '../../../files/upload-file.js'
import type { App } from '../../app-type.js'
import { type BodyLimits, uploadOf } from '../../multipart/upload-request.js'
import { created } from './answers.js'

const answer = Type.Object({
  file_id: Type.String({ format: 'uuid' }),
  filename: Type.String(),
  content_type: Type.String(),
  size: Type.Integer(),
  sha256: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
})

/** POST /api/files/upload */
export function uploadRoute(app: App, use: { upload: UploadFile; bodyLimits: BodyLimits }): void {
  app.post(
    '/api/files/upload',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'Upload a file',
        description:
          'multipart/form-data: one part `file`; optional `label`, `notes`, `sha256`, in any order.',
        consumes: ['multipart/form-data'],
        response: { 201: answer },
      },
    },
    async (request, reply) => {
      const file = await use.upload(request.actor, uploadOf(request, use.bodyLimits))
      return await reply.code(201).send(created(file))
    },
  )
}
