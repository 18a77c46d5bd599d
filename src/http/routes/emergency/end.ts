import type { EmergencyBook } from '../../../emergency/emergency-book.js'
import type { App } from '../../app-type.js'
import { emergencyEntry, emergencyParams } from '../../schemas/emergency-schemas.js'

/** POST /api/emergency-access/:emergency_id/end */
export function endEmergencyRoute(
  app: App,
  use: { emergencies: Pick<EmergencyBook, 'end'> },
): void {
  app.post(
    '/api/emergency-access/:emergency_id/end',
    {
      schema: {
        summary: 'End an emergency access now; answers under way are broken off',
        params: emergencyParams,
        response: { 200: emergencyEntry },
      },
    },
    async ({ actor, params }) => await use.emergencies.end(actor, params.emergency_id),
  )
}
