import type { AssignmentBook } from '../../../records/assignments.js'
import type { App } from '../../app-type.js'
import { assignment, assignmentBody, timeOf } from '../../schemas/record-schemas.js'

/** POST /api/assignments */
export function createAssignmentRoute(
  app: App,
  use: { assignmentBook: Pick<AssignmentBook, 'create'> },
): void {
  app.post(
    '/api/assignments',
    {
      schema: {
        summary: 'Assign a clinician to a patient (administrators)',
        body: assignmentBody,
        response: { 201: assignment },
      },
    },
    async ({ actor, body }, reply) => {
      const { starts_at: start, ends_at: end } = body
      const made = await use.assignmentBook.create(actor, {
        clinicianId: String(body.clinician_id),
        patientId: String(body.patient_id),
        startsAt: start === undefined ? undefined : timeOf('starts_at', start),
        endsAt: end === undefined ? undefined : timeOf('ends_at', end),
      })
      return await reply.code(201).send(made)
    },
  )
}
