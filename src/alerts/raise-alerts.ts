import { type AlertFacts, type AlertRule, alertEvent } from '../audit/alert-event.js'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { Assignments } from '../records/ports.js'
import type { AlertSpan, AlertStores, SharedReading } from './ports.js'

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
  const isAssigned = askedOnce(assignments)
  const outside = async (now: number, span: AlertSpan, signal: AbortSignal) => {
    const toldSince = new Date(now - DAY_MS)
    // To the end: a hundred who treat their patients must not hide the one who does not.
    for (let after: SharedReading | undefined; ; ) {
      signal.throwIfAborted()
      const found = await db.stores.alerts.sharedReadings({ ...span, toldSince, after })
      for (const { actorId: subjectId, patientId, fileId } of found) {
        if (await isAssigned(now, subjectId, patientId)) continue
        await raise('outside_assignment', { subjectId, patientId, fileId })
      }
      after = found.at(-1)
      if (found.length < span.limit) return
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
    if (thresholds.outsideAssignment) await outside(now, span, signal)
  }
}

/** Pairs that are remembered; past that they are asked about anew. */
const MOST_PAIRS = 10_000

/**
 * An assignment that stands is asked about once an hour, however often the same readings are looked at. Where
 * the portal cannot say, it is asked again at the next look, as long as the reading is looked at.
 */
function askedOnce(assignments: Assignments) {
  const standing = new Map<string, number>()
  return async (now: number, clinicianId: string, patientId: string): Promise<boolean> => {
    const pair = JSON.stringify([clinicianId, patientId])
    if ((standing.get(pair) ?? 0) > now - HOUR_MS) return true
    try {
      if (!(await assignments.isAssigned(clinicianId, patientId))) return false
    } catch (error) {
      if (isStrongroomError(error, 'assignments_unavailable')) return true
      throw error
    }
    if (standing.size >= MOST_PAIRS) standing.clear()
    standing.set(pair, now)
    return true
  }
}
