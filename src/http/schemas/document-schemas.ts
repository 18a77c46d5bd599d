import { Type } from 'typebox'
import { MAX_PARTS } from '../../documents/part-rules.js'
import type { ReceivedDocument } from '../../documents/receive-upload.js'
import { pageEndProperties } from './paging.js'

const time = Type.String({ format: 'date-time' })
const portalId = Type.String({ minLength: 1, maxLength: 128 })
const filename = Type.String({ minLength: 1, maxLength: 1024 })
const contentType = Type.String({ minLength: 1, maxLength: 255, description: 'A media type.' })
const size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Bytes.' })
const sha256 = Type.String({ pattern: '^[0-9a-fA-F]{64}$' })

/** Fields that are not known are passed over, as old clients may send more. */
export const presignBody = Type.Object({
  patientId: Type.Optional(portalId),
  clinicId: Type.Optional(portalId),
  medicalRecordTypeId: Type.Optional(portalId),
  filename,
  contentType,
  size: Type.Optional(size),
  sha256: Type.Optional(sha256),
})

export const presigned = Type.Object({
  id: Type.String({ format: 'uuid' }),
  key: Type.String({ description: 'Opaque; confirming asks for it.' }),
  url: Type.String({ description: 'Takes a PUT, once: tell it to nobody else.' }),
  headers: Type.Record(Type.String(), Type.String(), { description: 'To be sent with the bytes.' }),
  expires_at: time,
})

export const plainPresignBody = Type.Object({
  filename,
  content_type: contentType,
  size: Type.Optional(size),
})

export const plainPresigned = Type.Object({
  URL: Type.String(),
  key: Type.String(),
  expiry_timestamp: time,
  id: Type.String({ format: 'uuid' }),
})

export const confirmBody = Type.Object({
  key: Type.String({ pattern: '^[A-Za-z0-9/._-]{1,512}$' }),
  patientId: Type.Optional(portalId),
  contentType,
  size,
  sha256: Type.Optional(sha256),
})

export const receivedDocument = Type.Object({
  id: Type.String({ format: 'uuid' }),
  key: Type.String(),
  upload_status: Type.String({
    description: 'Awaiting: a part. uploading: to be confirmed. Completed: it is there.',
  }),
  partNumber: Type.Optional(Type.Integer()),
  size: Type.Optional(Type.Integer({ description: 'Bytes of the part.' })),
  sha256: Type.Optional(Type.String({ description: 'Of the part.' })),
})

export const receivedBody = ({ id, key, state, part }: ReceivedDocument) => ({
  ...{ id, key, upload_status: state },
  ...part,
})

export const documentEntry = Type.Object({
  id: Type.String({ format: 'uuid' }),
  key: Type.String(),
  patientId: Type.Union([Type.String(), Type.Null()]),
  filename: Type.String(),
  contentType: Type.String(),
  size: Type.Integer(),
  sha256: Type.String(),
  uploadedBy: Type.String(),
  createdAt: time,
})

export const documentList = Type.Object({
  documents: Type.Array(documentEntry),
  ...pageEndProperties,
})

export const documentParams = Type.Object({ id: Type.String() })

export const documentUrl = Type.Object({ url: Type.String(), expires_at: time })

export const partsUpload = Type.Object({
  upload_id: Type.String({ format: 'uuid' }),
  id: Type.String({ format: 'uuid', description: 'Of the document it becomes.' }),
  key: Type.String(),
  parts: Type.Array(Type.Object({ partNumber: Type.Integer(), size: Type.Integer() }), {
    description: 'Those that have come.',
  }),
  minPartSize: Type.Integer({ description: 'Bytes of every part but the last.' }),
  maxPartSize: Type.Integer(),
  maxParts: Type.Integer(),
  expires_at: time,
})

export const partsParams = Type.Object({ upload_id: Type.String() })

const partNumber = Type.Integer({ minimum: 1, maximum: MAX_PARTS })

export const partPlacesBody = Type.Object({
  partNumbers: Type.Array(partNumber, { minItems: 1, maxItems: 100 }),
})

export const partPlaces = Type.Object({
  parts: Type.Array(
    Type.Object({
      partNumber: Type.Integer(),
      url: Type.String({ description: 'Takes a PUT, once: tell it to nobody else.' }),
      headers: Type.Record(Type.String(), Type.String()),
      expires_at: time,
    }),
  ),
})

/** All of it may be left out; fields that are not known are passed over. */
export const completeBody = Type.Object({
  parts: Type.Optional(
    Type.Array(Type.Object({ partNumber }), { minItems: 1, maxItems: MAX_PARTS }),
  ),
  size: Type.Optional(size),
  sha256: Type.Optional(sha256),
})
