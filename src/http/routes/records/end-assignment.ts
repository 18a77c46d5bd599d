import { Type } from 'typebox'
import type { AssignmentBook } from '../../../records/assignments.js'
import type { App } from '../../app-type.js'

const id = Type.String({ minLength: 1, maxLength: 128 })

/** DELETE /api/assignments */
export function endAssignmentRoute(
  app: App,
  use: { assignmentBook: Pick<AssignmentBook, 'end'> },
): void {
  app.delete(
    '/api/assignments',
    {
      schema: {
        summary: 'End the assignment of a clinician to a patient (administrators)',
        querystring: Type.Object(
          { clinician_id: id, patient_id: id },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            clinician_id: Type.String(),
            patient_id: Type.String(),
            ends_at: Type.String({ format: 'date-time' }),
          }),
        },
      },
    },
    async ({ actor, query }) =>
      await use.assignmentBook.end(actor, {
        clinicianId: query.clinician_id,
        patientId: query.patient_id,
      }),
  )
}
