import { randomUUID } from 'node:crypto'
import {
  type AuditWriter,
  type CodedEvent,
  UNSIGNED_WRITER,
  type WritingScope,
} from './coded-events.js'

import { type AuditKeys, eventCode } from './event-code.js'
import { type NumberRange, rangesOf, rangesText } from './number-ranges.js'
import type { WriterPlace } from './ports.js'
import { firstOfASeal } from './seal-content.js'

/** What is certain and has not been sealed yet. */
export interface Unsealed {
  /** Ascending. */
  readonly events: readonly CodedEvent[]
  /** Numbers that no event has and none will have, ascending. */
  readonly unused: readonly number[]
}

/** The writer as the one who seals sees it. */
export interface SealedWriter extends AuditWriter {
  readonly writerId: string
  /** At most so many events; they are this caller's until `sealed` or `giveBack`. */
  take(limit: number): Unsealed
  sealed(taken: Unsealed): void
  giveBack(taken: Unsealed): void
  /** Events of transactions nobody knows the end of, with the time at which that began. */
  doubtful(): readonly { readonly event: CodedEvent; readonly since: number }[]
  /** What became of a doubtful one. */
  resolve(number: number, isThere: boolean): void
  /** Certain or doubtful and not sealed. */
  waiting(): number
  /** When the oldest certain one of them was written. */
  oldest(): Date | undefined
  /** How far it is sealed, `taken` with it. */
  place(taken?: Unsealed): WriterPlace
  /** No event numbered up to there is waiting to be sealed or under way. */
  isSealedUpTo(number: number): boolean
  /** The highest number given. */
  highest(): number
}

/**
 * A number whose event was rolled back is given to the next one; what is left over when a seal is made is
 * told there as unused. Nothing is said of a number while its transaction is under way.
 */
export function auditWriter(keys: Pick<AuditKeys, 'events'>): SealedWriter {
  const writerId = randomUUID()
  let highest = 0
  /** Numbers of events under way, doubtful ones, and those to be given again or told as unused. */
  const open = new Set<number>()
  const free: number[] = []
  let certain: CodedEvent[] = []
  const inDoubt = new Map<number, { event: CodedEvent; since: number }>()

  const settled = () => {
    let least = highest + 1
    for (const number of open) if (number < least) least = number
    return least - 1
  }
  const give = () => {
    const number = free.pop() ?? ++highest
    // Its own number is not certain while it is under way.
    open.add(number)
    return number
  }
  const begin = (): WritingScope => {
    let placed: CodedEvent[] = []
    let isOver = false
    const undo = () => {
      free.push(...placed.map(({ number }) => number))
      placed = []
    }
    const end = (tell: () => void) => () => {
      isOver = true
      tell()
      placed = []
    }
    return {
      place: (event) => {
        if (isOver) throw new Error('The transaction has ended')
        const place = { ...event, writerId, number: give(), settled: settled() }
        const coded = { ...place, code: eventCode(keys.events, place) }
        placed.push(coded)
        return coded
      },
      again: undo,
      committed: end(() => {
        for (const event of placed) open.delete(event.number)
        certain.push(...placed)
      }),
      rolledBack: end(undo),
      unknown: end(() => {
        for (const event of placed) inDoubt.set(event.number, { event, since: performance.now() })
      }),
    }
  }
  return {
    writerId,
    begin,
    take: (limit) => {
      const first = firstOfASeal(certain, limit)
      const events = first.sort((a, b) => a.number - b.number)
      certain = certain.slice(events.length)
      return { events, unused: free.splice(0).sort((a, b) => a - b) }
    },
    sealed: ({ unused }) => {
      for (const number of unused) open.delete(number)
    },
    giveBack: ({ events, unused }) => {
      certain = [...events, ...certain]
      free.push(...unused)
    },
    doubtful: () => [...inDoubt.values()],
    resolve: (number, isThere) => {
      const found = inDoubt.get(number)
      if (found === undefined) return
      inDoubt.delete(number)
      if (!isThere) {
        free.push(number)
        return
      }
      open.delete(number)
      certain.push(found.event)
    },
    waiting: () => certain.length + inDoubt.size,
    oldest: () =>
      certain.reduce<Date | undefined>(
        (least, { at }) => (least === undefined || at < least ? at : least),
        undefined,
      ),
    place: (taken) => {
      const told = new Set(taken?.unused)
      const left = [...open].filter((number) => !told.has(number))
      return { writerId, ...placeOf([...left, ...certain.map(({ number }) => number)], highest) }
    },
    isSealedUpTo: (number) => {
      const isLater = (other: number) => other > number
      const undecided = [...open].filter((one) => !free.includes(one))
      return undecided.every(isLater) && certain.every((event) => isLater(event.number))
    },
    highest: () => highest,
  }
}

/** Where everything up to `highest` is told of but these. */
function placeOf(unsealed: readonly number[], highest: number) {
  const left = rangesOf(unsealed)
  const beyond = left.map(
    ([, last], n): NumberRange => [last + 1, (left[n + 1]?.[0] ?? highest + 1) - 1],
  )
  return {
    sealedTo: (left[0]?.[0] ?? highest + 1) - 1,
    sealedBeyond: rangesText(beyond.filter(([first, last]) => first <= last)),
  }
}

/**
 * For whoever has no key: what it writes carries no code, and the database numbers it. It can be seen in
 * the log, and is sealed later by somebody who has.
 */
export const unsignedWriter: AuditWriter = {
  begin: () => ({
    place: (event) => ({
      ...event,
      ...{ writerId: UNSIGNED_WRITER, number: 0, settled: 0, code: new Uint8Array() },
    }),
    again: () => undefined,
    committed: () => undefined,
    rolledBack: () => undefined,
    unknown: () => undefined,
  }),
}
