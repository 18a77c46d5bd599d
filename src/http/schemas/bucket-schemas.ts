import { Type } from 'typebox'
import { pageEndProperties, pagingProperties } from './paging.js'

// Unknown members are ignored in family E, and null says nothing: its older clients send both.

const time = Type.String({ format: 'date-time' })
const bucketName = Type.String({ minLength: 1, maxLength: 128, examples: ['documents'] })
const objectKey = Type.String({
  minLength: 1,
  maxLength: 1_024,
  description: 'At most 1,024 bytes; no part of it empty, `.` or `..`.',
  examples: ['wards/3/plan.pdf'],
})
const flags = {
  can_read: Type.Boolean(),
  can_write: Type.Boolean(),
  can_delete: Type.Boolean(),
  can_list: Type.Boolean(),
}

export const bucketList = Type.Array(Type.Object({ name: bucketName, ...flags }), {
  examples: [
    [{ name: 'documents', can_read: true, can_write: false, can_delete: false, can_list: true }],
  ],
})

export const bucketParams = Type.Object({ bucket: bucketName })

export const objectQuery = Type.Object({
  prefix: Type.Optional(
    Type.String({
      maxLength: 1_025,
      description: 'A folder, with or without its last `/`; empty: the bucket itself.',
      examples: ['wards/3/'],
    }),
  ),
  ...pagingProperties,
})

export const objectList = Type.Object(
  {
    objects: Type.Array(
      Type.Object({
        key: objectKey,
        size: Type.Integer({ description: 'Bytes.' }),
        last_modified: time,
        content_type: Type.String(),
      }),
    ),
    common_prefixes: Type.Array(Type.String(), {
      description: 'Folders in this one, with their last `/`.',
    }),
    ...pageEndProperties,
  },
  {
    examples: [
      {
        objects: [
          {
            ...{ key: 'wards/3/plan.pdf', size: 48_213 },
            ...{ last_modified: '2026-11-29T10:00:00.000Z', content_type: 'application/pdf' },
          },
        ],
        common_prefixes: ['wards/3/old/'],
        next_cursor: null,
      },
    ],
  },
)

const orNull = <const T extends Parameters<typeof Type.Optional>[0]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]))

export const presignedUrlBody = Type.Object(
  {
    bucket_name: bucketName,
    object_key: objectKey,
    operation: Type.Union([Type.Literal('upload'), Type.Literal('download')]),
    content_type: orNull(
      Type.String({ maxLength: 255, description: 'For uploads: a media type.' }),
    ),
    size: orNull(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'For uploads: bytes.',
      }),
    ),
    expiry_seconds: orNull(
      Type.Integer({
        minimum: 1,
        maximum: 31_536_000,
        description: 'A wish; cut to TICKET_MAX_SECONDS.',
      }),
    ),
  },
  {
    examples: [
      {
        ...{ bucket_name: 'documents', object_key: 'wards/3/plan.pdf', operation: 'upload' },
        ...{ content_type: 'application/pdf', size: 48_213 },
      },
    ],
  },
)

export const presignedUrl = Type.Object({
  presigned_url: Type.String({ description: 'To be used once: tell it to nobody else.' }),
  method: Type.Union([Type.Literal('PUT'), Type.Literal('GET')]),
  headers: Type.Record(Type.String(), Type.String(), { description: 'To be sent with it.' }),
  fields: Type.Record(Type.String(), Type.String(), {
    description: 'Always empty: the bytes are the body, not a field of a form.',
  }),
  expires_at: time,
})

/** What the end of the path stands for: the router calls it `*`, which no schema can name. */
export const objectKeyInPath = { object_key: objectKey }

export const objectDeleted = Type.Object({
  message: Type.String(),
  deleted_at: time,
  purge_after: Type.String({
    format: 'date-time',
    description: 'When bytes and keys may be destroyed.',
  }),
})
