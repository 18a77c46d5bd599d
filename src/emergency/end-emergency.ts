import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { EmergencyRow, EmergencyStores } from './ports.js'

/** Ends it, with its event; `expired` where nobody did. The row is locked. */
export async function endEmergency(
  stores: Pick<EmergencyStores, 'emergencies' | 'audit'>,
  actor: Actor,
  { emergencyId, patientId, clinicianId }: EmergencyRow,
  end: { readonly at: Date; readonly expired: boolean },
): Promise<void> {
  await stores.emergencies.end(emergencyId, actor.userId, end.at)
  await stores.audit.append(
    auditEvent(actor, {
      action: 'emergency.end',
      outcome: 'success',
      reason: end.expired ? 'expired' : undefined,
      emergencyId,
      patientId,
      subjectId: clinicianId,
    }),
  )
}
