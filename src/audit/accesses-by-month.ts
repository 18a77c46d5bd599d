import type { AuditStore, EventQuery, LoggedAccess } from './ports.js'

const PAGE = 200

/**
 * Accesses, newest first, a month at a time: what a page costs does not grow with the length of the log. No
 * reading is cut in two, since each ends with its quarter of an hour.
 */
export async function* accessesByMonth(
  audit: AuditStore,
  query: Omit<EventQuery, 'limit'>,
): AsyncGenerator<LoggedAccess, void> {
  const span = await audit.accessSpan(query)
  if (span === undefined) return
  const from = later(span.first, query.from)
  let to = earlier(new Date(span.last.getTime() + 1), query.to)
  if (query.after !== undefined) to = earlier(to, monthAfter(query.after.at))
  while (to > from) {
    const begin = later(from, monthBefore(to))
    yield* accessesIn(audit, { ...query, from: begin, to })
    to = begin
  }
}

async function* accessesIn(
  audit: AuditStore,
  span: Omit<EventQuery, 'limit'>,
): AsyncGenerator<LoggedAccess, void> {
  for (let { after } = span; ; ) {
    const found = await audit.accesses({ ...span, after, limit: PAGE })
    yield* found
    const last = found.at(-1)
    if (last === undefined || found.length < PAGE) return
    after = { at: last.at, id: last.eventId }
  }
}

const later = (one: Date, other: Date | undefined) =>
  other !== undefined && other > one ? other : one
const earlier = (one: Date, other: Date | undefined) =>
  other !== undefined && other < one ? other : one

/** The beginning of the month that ends with, or has in it, the moment before `time`. */
function monthBefore(time: Date): Date {
  const moment = new Date(time.getTime() - 1)
  return new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth(), 1))
}

function monthAfter(time: Date): Date {
  return new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + 1, 1))
}
