import type { onRequestAsyncHookHandler } from 'fastify'
import type { AuditLog } from '../../audit/audit-log.js'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { hasSecondFactor, type SecondFactorUse } from '../../people/second-factor.js'
import { tokenOf } from './actor.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What of REQUIRE_SECOND_FACTOR this call falls under. */
    readonly secondFactor?: SecondFactorUse
  }
}

/**
 * Refuses a call that a second factor is demanded for (REQUIRE_SECOND_FACTOR) where the token does not say
 * that there was one (`amr`, RFC 8176). Runs after the caller is known.
 * @throws StrongroomError `second_factor_required`, `audit_unavailable`
 */
export function demandSecondFactor(
  uses: readonly SecondFactorUse[],
  audit: AuditLog,
): onRequestAsyncHookHandler {
  return async (request) => {
    const use = request.routeOptions.config.secondFactor
    if (use === undefined || !uses.includes(use)) return
    if (hasSecondFactor(tokenOf(request)?.identity.methods ?? [])) return
    const reason = 'second_factor_required'
    await audit.note(request.actor, { action: 'auth.refused', outcome: 'denied', reason })
    throw new StrongroomError(reason)
  }
}
