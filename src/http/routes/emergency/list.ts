import { Type } from 'typebox'
import type { EmergencyBook } from '../../../emergency/emergency-book.js'
import type { App } from '../../app-type.js'
import { emergencyEntry, emergencyParams, emergencyQuery } from '../../schemas/emergency-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

/** GET /api/emergency-access, GET /api/emergency-access/:emergency_id */
export function listEmergenciesRoutes(
  app: App,
  use: { emergencies: Pick<EmergencyBook, 'find' | 'list'> },
): void {
  app.get(
    '/api/emergency-access',
    {
      schema: {
        summary: 'Emergency accesses, newest first: all for auditors, else those that concern you',
        querystring: emergencyQuery,
        response: {
          200: Type.Object({
            emergencies: Type.Array(emergencyEntry),
            next_cursor: Type.Union([Type.String(), Type.Null()]),
          }),
        },
      },
    },
    async ({ actor, query }) => {
      const { status = 'pending', patient_id: patientId, ...paging } = query
      const page = await use.emergencies.list(actor, { ...pagingOf(paging), status, patientId })
      return { emergencies: page.emergencies, next_cursor: encodeCursor(page.next) }
    },
  )
  app.get(
    '/api/emergency-access/:emergency_id',
    {
      schema: {
        summary: 'One emergency access',
        params: emergencyParams,
        response: { 200: emergencyEntry },
      },
    },
    async ({ actor, params }) => await use.emergencies.find(actor, params.emergency_id),
  )
}
