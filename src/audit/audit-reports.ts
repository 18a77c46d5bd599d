import type { ErrorCode } from '../errors/error-codes.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Actor, AuditEvent, AuditFacts } from './audit-events.js'
import type { AuditLog } from './audit-log.js'
import type { DaySum, EventCursor, EventFilter, ReportStore } from './ports.js'

/** Events of one page of a stream. */
const PAGE = 500

/** May be short, or even empty, while there is a next: `next` alone tells that there are no more. */
export interface EventPage {
  readonly events: readonly AuditEvent[]
  readonly next: EventCursor | undefined
}

export interface PageWish {
  readonly limit: number
  readonly after?: EventCursor | undefined
}

interface Dependencies {
  readonly audit: AuditLog
  /** Whether someone of these roles may read the log as a whole. */
  readonly mayRead: (
    roles: readonly string[],
  ) => { readonly allow: true } | { readonly allow: false; readonly code: ErrorCode }
  readonly db: { readonly stores: { readonly reports: ReportStore } }
}

/** Days of sums, both included: `2026-11-26`, UTC. */
export interface DaySpan {
  readonly from: string
  readonly to: string
}

/**
 * Reading the log as a whole: auditors and administrators; one's own part of it: everybody. Each reading is
 * itself on record before anything is given. What is written meanwhile is not in a stream.
 * @throws StrongroomError `forbidden`, `audit_unavailable`
 */
export function auditReports({ audit, db, mayRead }: Dependencies) {
  const { reports } = db.stores
  const permit = async (
    actor: Actor,
    facts: Pick<AuditFacts, 'action' | 'patientId' | 'fileId' | 'subjectId'>,
    isOwn = false,
  ) => {
    const decision = isOwn ? { allow: true as const } : mayRead(actor.roles)
    const denied = decision.allow ? {} : { reason: decision.code }
    await audit.note(actor, { ...facts, outcome: decision.allow ? 'success' : 'denied', ...denied })
    if (!decision.allow) throw new StrongroomError(decision.code)
  }
  const page = async (filter: EventFilter, { limit, after }: PageWish): Promise<EventPage> => {
    const { events: found, lookedTo } = await reports.events(filter, { limit: limit + 1, after })
    const events = found.slice(0, limit)
    const last = events.at(-1)
    const isMore = found.length > limit && last !== undefined
    return { events, next: isMore ? { at: last.at, id: last.eventId } : lookedTo }
  }
  const concerned = ({ patientId, fileId, userId }: EventFilter) => ({
    ...{ patientId, fileId, subjectId: userId },
  })
  return {
    logs: async (actor: Actor, filter: EventFilter, wish: PageWish) => {
      await permit(actor, { action: 'audit.logs_read', ...concerned(filter) })
      return await page(filter, wish)
    },
    /** All of them, newest first, in pages: resolves once the reading is on record. */
    stream: async (actor: Actor, filter: EventFilter) => {
      await permit(actor, { action: 'audit.logs_read', ...concerned(filter) })
      return eventsOf(page, { ...filter, to: filter.to ?? new Date() })
    },
    myActivity: async (actor: Actor, filter: EventFilter, wish: PageWish) => {
      await permit(actor, { action: 'audit.my_activity_read' }, true)
      return await page({ ...filter, userId: actor.userId }, wish)
    },
    stats: async (actor: Actor, span: DaySpan): Promise<DaySum[]> => {
      await permit(actor, { action: 'audit.stats_read' })
      return await reports.sums(span)
    },
    userStats: async (actor: Actor, userId: string, span: DaySpan): Promise<DaySum[]> => {
      const facts = { action: 'audit.stats_read', subjectId: userId } as const
      await permit(actor, facts, userId === actor.userId)
      return await reports.sums({ ...span, userId })
    },
  }
}

export type AuditReports = ReturnType<typeof auditReports>

async function* eventsOf(
  page: (filter: EventFilter, wish: PageWish) => Promise<EventPage>,
  filter: EventFilter,
): AsyncGenerator<AuditEvent> {
  for (let after: EventCursor | undefined; ; ) {
    const { events, next } = await page(filter, { limit: PAGE, after })
    yield* events
    if (next === undefined) return
    after = next
  }
}
