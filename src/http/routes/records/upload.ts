import { Type } from 'typebox'
import type { UploadRecord } from '../../../records/upload-record.js'
import type { App } from '../../app-type.js'
import { type BodyLimits, uploadOf } from '../../multipart/upload-request.js'
import { grantEntry, recordEntry } from '../../schemas/record-schemas.js'

const answer = Type.Object({ ...recordEntry.properties, grants: Type.Array(grantEntry) })

/** POST /api/files/upload/medical-record */
export function uploadRecordRoute(
  app: App,
  use: { upload: UploadRecord; bodyLimits: BodyLimits },
): void {
  app.post(
    '/api/files/upload/medical-record',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'Upload a medical record of a patient you are assigned to',
        description:
          'multipart/form-data: `file`, `patient_id`, `medical_record_type_id`; optional `label`, `notes`, `sha256`, in any order. With the fields first a refusal comes before the file is read.',
        consumes: ['multipart/form-data'],
        response: { 201: answer },
      },
    },
    async (request, reply) => {
      const record = await use.upload(request.actor, uploadOf(request, use.bodyLimits))
      return await reply.code(201).send(record)
    },
  )
}
