import { type CodedEvent } from './coded-events.js'
import { merkleRoot } from './merkle-root.js'
import { rangesOf, rangesText } from './number-ranges.js'
import type { AuditStore, DayCount, SealStore } from './ports.js'
import { type CodedSeal, type Seal } from './ports.js'

/** Events of one seal at most: a verifier holds as many codes at a time. */
export const MOST_IN_A_SEAL = 10_000
export interface SealStores {
  readonly seals: SealStore
  readonly audit: AuditStore
}

/**
 * The first of these events that go into one seal: so many at most, and of one month, so that a month can be
 * dropped whole with the seals that tell of it.
 */
export function firstOfASeal<Event extends Pick<CodedEvent, 'at'>>(
  events: readonly Event[],
  most = MOST_IN_A_SEAL,
): Event[] {
  const first = events.slice(0, most)
  const month = first[0] === undefined ? '' : monthOf(first[0].at)
  const other = first.findIndex(({ at }) => monthOf(at) !== month)
  return other === -1 ? first : first.slice(0, other)
}

/** `2026-11`, UTC. */
export function monthOf(time: Date): string {
  return time.toISOString().slice(0, 7)
}

/** A seal, but for what its place in the chain gives it. */
export type SealContent = Omit<Seal, 'number' | 'previous' | 'firstNumber' | 'total' | 'sealedAt'>

/** Puts a seal at the end of the chain, in a transaction that has the lock. */
export type SealInto = (stores: SealStores, content: SealContent) => Promise<CodedSeal>

/** What a seal says of events, which are in the order of their numbers. */
export function sealed(
  events: readonly CodedEvent[],
  codes: readonly Uint8Array[] = events.map(({ code }) => code),
): Pick<Seal, 'included' | 'events' | 'root' | 'firstAt' | 'lastAt'> {
  const times = events.map(({ at }) => at.getTime())
  const now = Date.now()
  return {
    included: rangesText(rangesOf(events.map(({ number }) => number))),
    events: events.length,
    root: merkleRoot(codes),
    firstAt: new Date(times.reduce((a, b) => Math.min(a, b), times[0] ?? now)),
    lastAt: new Date(times.reduce((a, b) => Math.max(a, b), times[0] ?? now)),
  }
}

/** Sums by day, actor, action and outcome, in one order: two who count never wait for each other. */
export function countDays(events: readonly CodedEvent[]): DayCount[] {
  const sums = new Map<string, DayCount>()
  for (const { at, actorId, action, outcome } of events) {
    const day = at.toISOString().slice(0, 10)
    const key = JSON.stringify([day, actorId, action, outcome])
    const before = sums.get(key)?.events ?? 0
    sums.set(key, { day, actorId, action, outcome, events: before + 1 })
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum)
}
