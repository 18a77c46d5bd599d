import type { Actor, AuditFacts } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { isStrongroomError } from '../errors/strongroom-error.js'

/** Refusals of what somebody sends, or says of it: its people see that it was tried. */
const refusals = [
  'type_not_allowed',
  'type_mismatch',
  'file_too_large',
  'content_mismatch',
  'digest_mismatch',
  'legal_hold',
] as const

/** Puts a refusal of `work` on record before it is answered. */
export async function notingRefusal<T>(
  { audit }: { readonly audit: AuditLog },
  actor: Actor,
  facts: Omit<AuditFacts, 'outcome' | 'reason'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isStrongroomError(error, ...refusals)) {
      await audit.note(actor, { ...facts, outcome: 'denied', reason: error.code })
    }
    throw error
  }
}
