import { Type } from 'typebox'
import type { AssignmentBook } from '../../../records/assignments.js'
import type { App } from '../../app-type.js'
import { encodeCursor, pagingOf, pagingProperties } from '../../schemas/paging.js'
import { assignment } from '../../schemas/record-schemas.js'

/** GET /api/assignments */
export function listAssignmentsRoute(
  app: App,
  use: { assignmentBook: Pick<AssignmentBook, 'list'> },
): void {
  app.get(
    '/api/assignments',
    {
      schema: {
        summary: 'Who treats whom, newest first (administrators)',
        querystring: Type.Object(
          {
            ...pagingProperties,
            clinician_id: Type.Optional(Type.String({ maxLength: 128 })),
            patient_id: Type.Optional(Type.String({ maxLength: 128 })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            assignments: Type.Array(assignment),
            next_cursor: Type.Union([Type.String(), Type.Null()]),
          }),
        },
      },
    },
    async ({ actor, query }) => {
      const { clinician_id: clinicianId, patient_id: patientId, ...paging } = query
      const found = await use.assignmentBook.list(actor, {
        ...pagingOf(paging),
        clinicianId,
        patientId,
      })
      return { assignments: found.assignments, next_cursor: encodeCursor(found.next) }
    },
  )
}
