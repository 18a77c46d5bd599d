import type { EmergencyBook } from '../../../emergency/emergency-book.js'
import type { App } from '../../app-type.js'
import { emergencyEntry, emergencyParams, reviewBody } from '../../schemas/emergency-schemas.js'

/** POST /api/emergency-access/:emergency_id/review */
export function reviewEmergencyRoute(
  app: App,
  use: { emergencies: Pick<EmergencyBook, 'review'> },
): void {
  app.post(
    '/api/emergency-access/:emergency_id/review',
    {
      schema: {
        summary: 'Say whether an emergency access was justified (auditors, once it has ended)',
        params: emergencyParams,
        body: reviewBody,
        response: { 200: emergencyEntry },
      },
    },
    async ({ actor, params, body }) =>
      await use.emergencies.review(actor, params.emergency_id, {
        finding: body.finding,
        note: body.note,
      }),
  )
}
