import { Type } from 'typebox'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { fileEntry } from './file-schemas.js'

const textOrNull = Type.Union([Type.String(), Type.Null()])
const time = Type.String({ format: 'date-time' })
const timeOrNull = Type.Union([time, Type.Null()])

/** An id of the portal's: opaque; a number counts as its decimal digits. */
export const portalId = Type.Union([
  Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$' }),
  Type.Integer({ minimum: 0 }),
])

/** Fields of a time in a body or query; `timeOf` reads them. */
export const timeField = Type.String({ maxLength: 40, description: 'RFC 3339, with an offset.' })

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/

/** @throws StrongroomError `invalid_field` */
export function timeOf(name: string, text: string): Date {
  const time = new Date(rfc3339.test(text) ? text : Number.NaN)
  if (!Number.isNaN(time.getTime())) return time
  throw new StrongroomError('invalid_field', {
    detail: `${name}: a time like 2026-01-31T08:00:00Z`,
  })
}

export const recordEntry = Type.Object({
  record_id: Type.String({ format: 'uuid' }),
  patient_id: Type.String(),
  medical_record_type_id: Type.String(),
  uploader_id: Type.String(),
  ...fileEntry.properties,
})

export const grantEntry = Type.Object({
  user_id: Type.String(),
  basis: Type.String({ description: '`own`, `assignment` or `explicit`.' }),
  can_download: Type.Boolean(),
  can_share: Type.Boolean(),
  expires_at: timeOrNull,
  purpose: textOrNull,
  granted_by: Type.String(),
  granted_at: time,
})

export const grantBody = Type.Object(
  {
    user_id: portalId,
    can_download: Type.Optional(Type.Boolean()),
    can_share: Type.Optional(Type.Boolean()),
    expires_at: Type.Optional(Type.Union([timeField, Type.Null()])),
    purpose: Type.Optional(Type.Union([Type.String({ maxLength: 1000 }), Type.Null()])),
  },
  { additionalProperties: false },
)

export const recordType = Type.Object({
  id: Type.String(),
  name: Type.String(),
  allowed_types: Type.Array(Type.String(), { description: 'Empty: those of the service.' }),
  max_size_mb: Type.Union([Type.Number(), Type.Null()]),
  retention_days: Type.Union([Type.Integer(), Type.Null()]),
  sensitive: Type.Boolean({ description: 'Not opened to clinicians newly assigned.' }),
})

export const recordTypeBody = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000]+$' }),
    allowed_types: Type.Optional(
      Type.Array(Type.String({ maxLength: 127, pattern: '^[a-z0-9.+-]+/[a-z0-9.+-]+$' }), {
        maxItems: 100,
      }),
    ),
    max_size_mb: Type.Optional(
      Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 1_048_576 }), Type.Null()]),
    ),
    retention_days: Type.Optional(
      Type.Union([Type.Integer({ minimum: 0, maximum: 36_525 }), Type.Null()]),
    ),
    sensitive: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

export const typeParams = Type.Object({ type_id: Type.String() })

export const assignment = Type.Object({
  assignment_id: Type.String({ format: 'uuid' }),
  clinician_id: Type.String(),
  patient_id: Type.String(),
  starts_at: time,
  ends_at: timeOrNull,
  created_by: Type.String(),
})

export const assignmentBody = Type.Object(
  {
    clinician_id: portalId,
    patient_id: portalId,
    starts_at: Type.Optional(timeField),
    ends_at: Type.Optional(timeField),
  },
  { additionalProperties: false },
)
