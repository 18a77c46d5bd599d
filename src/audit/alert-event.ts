import type { AuditEvent, AuditFacts } from './audit-events.js'
import { auditEvent } from './audit-log.js'
import { systemActor } from './system-actor.js'

/** What somebody should look at. Each is the `reason` of its event. */
export const alertRules = [
  'many_refusals',
  'many_records',
  'outside_assignment',
  'emergency',
  'audit_damaged',
] as const

export type AlertRule = (typeof alertRules)[number]

export interface AlertFacts
  extends Pick<AuditFacts, 'subjectId' | 'patientId' | 'fileId' | 'emergencyId'> {
  /** How many refusals, records, findings. */
  readonly count?: number | undefined
  /** Where it came from, where nobody is known to have acted. */
  readonly ip?: string | undefined
}

/** The event of an alert: the log has it, and webhooks tell of it. */
export function alertEvent(rule: AlertRule, { count, ip, ...facts }: AlertFacts): AuditEvent {
  const actor = systemActor('alerts')
  return auditEvent(ip === undefined ? actor : { ...actor, ip }, {
    action: 'alert.raised',
    outcome: 'success',
    reason: rule,
    bytes: count,
    ...facts,
  })
}
