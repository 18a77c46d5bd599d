import type { Actor, AuditFacts } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { mayAdminister } from '../people/policy.js'

/** @throws StrongroomError `forbidden` for whoever is no administrator, once it is on record */
export async function requireAdmin(
  audit: AuditLog,
  actor: Actor,
  facts: Pick<AuditFacts, 'action' | 'subjectId' | 'patientId'>,
): Promise<void> {
  const decision = mayAdminister(actor.roles)
  if (decision.allow) return
  await audit.note(actor, { ...facts, outcome: 'denied', reason: decision.code })
  throw new StrongroomError(decision.code)
}
