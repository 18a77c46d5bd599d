import { Type } from 'typebox'
import { reasonCodes } from '../../emergency/ports.js'
import { pagingProperties } from './paging.js'
import { portalId } from './record-schemas.js'

const time = Type.String({ format: 'date-time' })
const timeOrNull = Type.Union([time, Type.Null()])
const textOrNull = Type.Union([Type.String(), Type.Null()])
const text = (minLength: number) => Type.String({ minLength, maxLength: 1000, pattern: '\\S' })

export const emergencyParams = Type.Object({ emergency_id: Type.String() })

export const emergencyBody = Type.Object(
  {
    patient_id: portalId,
    reason_code: Type.Union(reasonCodes.map((code) => Type.Literal(code))),
    reason: Type.String({ ...text(10), description: 'For the patient and the reviewer.' }),
    minutes: Type.Integer({ minimum: 1, maximum: 240 }),
    sensitive_types: Type.Optional(
      Type.Array(portalId, {
        maxItems: 100,
        description: 'Ids of the sensitive record types that are needed; others stay closed.',
      }),
    ),
  },
  { additionalProperties: false },
)

export const reviewBody = Type.Object(
  {
    finding: Type.Union([Type.Literal('justified'), Type.Literal('unjustified')]),
    note: Type.Optional(text(1)),
  },
  { additionalProperties: false },
)

export const emergencyQuery = Type.Object(
  {
    ...pagingProperties,
    status: Type.Optional(
      Type.Union(
        (['pending', 'open', 'to_review', 'reviewed', 'all'] as const).map((status) =>
          Type.Literal(status),
        ),
        { description: 'pending, the default: open, or not reviewed yet.' },
      ),
    ),
    patient_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  },
  { additionalProperties: false },
)

export const emergencyRecordsQuery = Type.Object(
  { ...pagingProperties, type: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })) },
  { additionalProperties: false },
)

export const emergencyEntry = Type.Object({
  emergency_id: Type.String({ format: 'uuid' }),
  clinician_id: Type.String(),
  patient_id: Type.String(),
  reason_code: Type.String(),
  reason: Type.Union([Type.String(), Type.Null()], {
    description: 'Null for administrators, and once the keys of the patient were destroyed.',
  }),
  intact: Type.Union([Type.Boolean(), Type.Null()], {
    description: 'False where the row in the database is not what was sealed.',
  }),
  sensitive_types: Type.Array(Type.String()),
  status: Type.String({ description: '`open`, `to_review` or `reviewed`.' }),
  requested_at: time,
  ends_at: time,
  ended_at: timeOrNull,
  ended_by: textOrNull,
  records: Type.Integer({ description: 'Different records that it opened.' }),
  reviewed_at: timeOrNull,
  reviewed_by: textOrNull,
  finding: textOrNull,
  review_note: textOrNull,
})
