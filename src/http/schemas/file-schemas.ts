import { Type } from 'typebox'
import { pagingProperties, wholeNumber } from './paging.js'

const nullable = (schema: ReturnType<typeof Type.String>) => Type.Union([schema, Type.Null()])

export const fileParams = Type.Object({ file_id: Type.String() })

export const fileEntry = Type.Object({
  file_id: Type.String({ format: 'uuid' }),
  filename: Type.String(),
  content_type: Type.String(),
  size: Type.Integer({ description: 'Bytes.' }),
  sha256: Type.String({ description: '64 hexadecimal digits.' }),
  label: nullable(Type.String()),
  notes: nullable(Type.String()),
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
  version: Type.Integer(),
})

export const versionEntry = Type.Object({
  version: Type.Integer(),
  filename: Type.String(),
  content_type: Type.String(),
  size: Type.Integer({ description: 'Bytes.' }),
  sha256: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
  created_by: Type.String(),
})

export const readQuery = Type.Object(
  {
    view: Type.Optional(Type.Boolean({ description: 'Shown inline: PDFs and images only.' })),
    version: Type.Optional(wholeNumber('A version by its number; the current one by default.')),
  },
  { additionalProperties: false },
)

export function versionOf(query: { readonly version?: string }): number | undefined {
  return query.version === undefined ? undefined : Number(query.version)
}

export const changesBody = Type.Object(
  {
    filename: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
    label: Type.Optional(nullable(Type.String({ maxLength: 255 }))),
    notes: Type.Optional(nullable(Type.String({ maxLength: 4000 }))),
  },
  { additionalProperties: false, minProperties: 1 },
)

export const deletion = Type.Object({
  file_id: Type.String({ format: 'uuid' }),
  deleted_at: Type.String({ format: 'date-time' }),
  purge_after: Type.String({ format: 'date-time' }),
})

export const accessLogQuery = Type.Object(pagingProperties, { additionalProperties: false })

const textOrNull = nullable(Type.String())

export const accessLogAnswer = Type.Object({
  entries: Type.Array(
    Type.Object({
      at: Type.String({ format: 'date-time' }),
      last_at: Type.String({ format: 'date-time' }),
      requests: Type.Integer({ description: 'Requests of one reading, shown as one.' }),
      action: Type.String(),
      outcome: Type.String(),
      reason: textOrNull,
      actor_id: Type.String(),
      on_behalf_of: textOrNull,
      roles: Type.Array(Type.String()),
      file_id: textOrNull,
      subject_id: textOrNull,
      version: Type.Union([Type.Integer(), Type.Null()]),
      bytes: Type.Union([Type.Integer(), Type.Null()]),
      grant_id: textOrNull,
      emergency_id: textOrNull,
      basis: textOrNull,
      purpose: textOrNull,
      ip: Type.String(),
      user_agent: Type.String(),
      request_id: Type.String(),
    }),
  ),
  next_cursor: textOrNull,
})
