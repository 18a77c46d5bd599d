import type { EmergencyBook } from '../../../emergency/emergency-book.js'
import type { App } from '../../app-type.js'
import { emergencyBody, emergencyEntry } from '../../schemas/emergency-schemas.js'

/** POST /api/emergency-access */
export function requestEmergencyRoute(
  app: App,
  use: { emergencies: Pick<EmergencyBook, 'request'> },
): void {
  app.post(
    '/api/emergency-access',
    {
      config: { secondFactor: 'emergency' },
      schema: {
        summary: 'Read one patient’s records without a grant, for a while',
        description:
          'For clinicians in person. Reading only; every access carries the id, the patient sees it and an auditor reviews it. One at a time.',
        body: emergencyBody,
        response: { 201: emergencyEntry },
      },
    },
    async ({ actor, body }, reply) => {
      const summary = await use.emergencies.request(actor, {
        patientId: String(body.patient_id),
        reasonCode: body.reason_code,
        reason: body.reason,
        minutes: body.minutes,
        sensitiveTypes: (body.sensitive_types ?? []).map(String),
      })
      return await reply.code(201).send(summary)
    },
  )
}
