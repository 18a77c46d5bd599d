import { type Static, Type } from 'typebox'
import { type AuditEvent, auditActions } from '../../audit/audit-events.js'
import type { EventFilter } from '../../audit/ports.js'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { isFileId } from '../../files/file-id.js'
import { pagingProperties } from './paging.js'

const nullable = (description?: string) =>
  Type.Union([Type.String(), Type.Null()], description === undefined ? {} : { description })
const count = Type.Union([Type.Integer(), Type.Null()])
const id = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 128, description }))
const time = (description: string) => Type.Optional(Type.String({ maxLength: 40, description }))

export const eventEntry = Type.Object({
  event_id: Type.String(),
  at: Type.String(),
  actor_id: Type.String(),
  on_behalf_of: nullable(),
  roles: Type.Array(Type.String()),
  action: Type.String(),
  outcome: Type.String(),
  reason: nullable(),
  file_id: nullable(),
  version: count,
  patient_id: nullable(),
  subject_id: nullable(),
  grant_id: nullable(),
  emergency_id: nullable(),
  bytes: count,
  read_session: nullable('The same for all requests of one reading.'),
  ip: Type.String(),
  user_agent: Type.String(),
  request_id: Type.String(),
})

export const eventPage = Type.Object({
  events: Type.Array(eventEntry),
  next_cursor: Type.Union([Type.String(), Type.Null()], {
    description:
      'There are more until it is null. A page may hold fewer than its limit, or none: of two filters ' +
      'that hardly go together, a page looks through 2,000 events.',
  }),
})

const ownFilter = {
  patient_id: id('Whose record it was.'),
  action: Type.Optional(Type.String({ maxLength: 64, description: 'As in docs/AUDIT-EVENTS.md.' })),
  outcome: Type.Optional(
    Type.Union([Type.Literal('success'), Type.Literal('denied'), Type.Literal('failed')]),
  ),
  resource: Type.Optional(Type.String({ maxLength: 64, description: 'A file’s id.' })),
  from: time('From this time on (RFC 3339, or a day in UTC).'),
  to: time('Before this time; a day is meant with all of it.'),
}

// Old clients send more: what is not known is left out.
export const activityQuery = Type.Object({ ...ownFilter, ...pagingProperties })
export const logsQuery = Type.Object({
  user_id: id('Who acted.'),
  ...ownFilter,
  ...pagingProperties,
  format: Type.Optional(
    Type.Union(
      [Type.Literal('json'), Type.Literal('csv'), Type.Literal('ndjson'), Type.Literal('fhir')],
      {
        description:
          'csv, ndjson and fhir (AuditEvent resources, R4): all of them as a stream, without pages.',
      },
    ),
  ),
})

/** A span of time, and whether all of it is wanted as one document. */
export const accessExportQuery = Type.Object(
  {
    ...pagingProperties,
    from: time('From this time on (RFC 3339, or a day in UTC).'),
    to: time('Before this time; a day is meant with all of it.'),
    format: Type.Optional(
      Type.Union([Type.Literal('json'), Type.Literal('csv'), Type.Literal('pdf')], {
        description: 'csv and pdf: all of it, without pages.',
      }),
    ),
  },
  { additionalProperties: false },
)

/** @throws StrongroomError `invalid_field` */
export function timesOf({ from, to }: { readonly from?: string; readonly to?: string }) {
  const times = { from: timeOf('from', from, 0), to: timeOf('to', to, DAY_MS) }
  if (times.from !== undefined && times.to !== undefined && times.from >= times.to) {
    throw wrong('from', 'a time before `to`')
  }
  return times
}

const textOrNull = nullable()
export const disclosurePage = Type.Object({
  disclosures: Type.Array(
    Type.Object({
      at: Type.String(),
      last_at: Type.String(),
      requests: Type.Integer({ description: 'Requests of one reading, shown as one.' }),
      action: Type.String(),
      recipient_id: Type.String(),
      recipient_roles: Type.Array(Type.String()),
      disclosed_by: textOrNull,
      on_behalf_of: textOrNull,
      file_id: textOrNull,
      version: count,
      medical_record_type_id: textOrNull,
      basis: textOrNull,
      grant_id: textOrNull,
      emergency_id: textOrNull,
      has_purpose: Type.Boolean(),
      purpose: nullable('For the patient alone.'),
    }),
  ),
  next_cursor: textOrNull,
})

/** @throws StrongroomError `invalid_field` */
export function filterOf(query: Partial<Static<typeof logsQuery>>): EventFilter {
  const { user_id: userId, patient_id: patientId, resource, outcome } = query
  if (resource !== undefined && !isFileId(resource)) throw wrong('resource', 'a file’s id')
  return {
    ...{ userId, patientId, outcome, fileId: resource },
    action: actionOf(query.action),
    from: timeOf('from', query.from, 0),
    to: timeOf('to', query.to, DAY_MS),
  }
}

function actionOf(text: string | undefined): AuditEvent['action'] | undefined {
  if (text === undefined) return undefined
  const known = auditActions.find((action) => action === text)
  if (known === undefined) throw wrong('action', 'one of docs/AUDIT-EVENTS.md')
  return known
}

const DAY_MS = 86_400_000
const DAY = /^\d{4}-\d{2}-\d{2}$/
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/

/** A day stands for its beginning, or, `more` milliseconds later, for its end. */
function timeOf(field: string, text: string | undefined, more: number): Date | undefined {
  if (text === undefined) return undefined
  const isDay = DAY.test(text)
  const ms = isDay || TIME.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw wrong(field, 'a time as of RFC 3339, or a day')
  return new Date(ms + (isDay ? more : 0))
}

export const statsQuery = Type.Object({
  from: time('The first day, UTC; thirty days ago.'),
  to: time('The last day, UTC; today.'),
})

export const statsAnswer = Type.Object({
  from: Type.String(),
  to: Type.String(),
  total: Type.Integer(),
  by_action: Type.Record(Type.String(), Type.Integer()),
  by_outcome: Type.Record(Type.String(), Type.Integer()),
  days: Type.Array(
    Type.Object({
      day: Type.String(),
      action: Type.String(),
      outcome: Type.String(),
      events: Type.Integer(),
    }),
  ),
})

/** Days of a year, so that an answer stays one. @throws StrongroomError `invalid_field` */
export function spanOf({ from, to }: Static<typeof statsQuery>) {
  const dayOf = (time: Date) => time.toISOString().slice(0, 10)
  const last = timeOf('to', to, 0) ?? new Date()
  const first = timeOf('from', from, 0) ?? new Date(last.getTime() - 29 * DAY_MS)
  if (first > last) throw wrong('from', 'a day before `to`')
  if (last.getTime() - first.getTime() > 366 * DAY_MS) throw wrong('from', 'at most a year before')
  return { from: dayOf(first), to: dayOf(last) }
}

function wrong(field: string, expected: string): StrongroomError {
  return new StrongroomError('invalid_field', { detail: `${field}: expected ${expected}` })
}
