import { type AlertFacts, type AlertRule, alertEvent } from '../audit/alert-event.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { Assignments } from '../records/ports.js'
import type { AlertStores } from './ports.js'

export const RAISE_ALERTS = 'raise-alerts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** People told of at once; those who are left come at the next look. */
const MOST = 100

export interface AlertThresholds {
  /** Refusals of one person, or of one address, in an hour; 0: not looked at. */
  readonly refusals: number
  /** Different records one person opened in an hour; 0: not looked at. */
  readonly records: number
  readonly outsideAssignment: boolean
}

interface Dependencies {
  readonly db: Transactions<AlertStores>
  readonly assignments: Assignments
  readonly thresholds: AlertThresholds
}

/**
 * Looks at the last hour of the log, and raises what is to be raised. About the same person a rule speaks once
 * an hour; about the same two people once a day.
 */
export function raiseAlerts({ db, assignments, thresholds }: Dependencies) {
  const raise = async (rule: AlertRule, facts: AlertFacts) => {
    await db.stores.audit.append(alertEvent(rule, facts))
  }
  const outside = async (now: number, span: { readonly from: Date; readonly limit: number }) => {
    const toldSince = new Date(now - DAY_MS)
    const readings = await db.stores.alerts.sharedReadings({ ...span, toldSince })
    for (const { actorId: subjectId, patientId, fileId } of readings) {
      if (await isAssigned(assignments, subjectId, patientId)) continue
      await raise('outside_assignment', { subjectId, patientId, fileId })
    }
  }
  return async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    const now = Date.now()
    const span = { from: new Date(now - HOUR_MS), limit: MOST }
    const { alerts } = db.stores
    if (thresholds.refusals > 0) {
      for (const { actorId, ip, count } of await alerts.refused(thresholds.refusals, span)) {
        await raise('many_refusals', {
          subjectId: actorId ?? undefined,
          ip: ip ?? undefined,
          count,
        })
      }
    }
    signal.throwIfAborted()
    if (thresholds.records > 0) {
      for (const { actorId, count } of await alerts.opened(thresholds.records, span)) {
        await raise('many_records', { subjectId: actorId, count })
      }
    }
    signal.throwIfAborted()
    if (thresholds.outsideAssignment) await outside(now, span)
  }
}

/** Where the portal cannot say, it is asked again at the next look: an hour long. */
async function isAssigned(
  assignments: Assignments,
  clinicianId: string,
  patientId: string,
): Promise<boolean> {
  try {
    return await assignments.isAssigned(clinicianId, patientId)
  } catch (error) {
    if (isStrongroomError(error, 'assignments_unavailable')) return true
    throw error
  }
}
