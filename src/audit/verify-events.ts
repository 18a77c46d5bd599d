import { type CodedEvent, UNSIGNED_WRITER } from './coded-events.js'
import { type AuditKeys, eventCode } from './event-code.js'
import type { Findings } from './findings.js'
import type { NumberRange } from './number-ranges.js'
import { type PassingSeals, passSeals } from './passing-seals.js'
import type { VerifyStore } from './ports.js'

const PAGE = 2_000

/** What commands write that must work where the keys are lost. */
const withoutKeys: ReadonlySet<string> = new Set([
  'keys.backup',
  'keys.restore',
  'keys.put_back',
  'keys.drill',
  'database.move',
])

interface Dependencies {
  readonly log: VerifyStore
  readonly keys: AuditKeys
  readonly findings: Findings
}

interface Course {
  /** Seals after it are left for the next time. */
  readonly upTo: number
  /** Writers that had ended before the last of these seals was made. */
  readonly ended: ReadonlySet<string>
  /** Up to this seal the log is from before there were codes. */
  readonly unsignedUpTo: number
  /** Months before it were dropped, as the log itself says. */
  readonly droppedBefore: Date | undefined
  readonly signal: AbortSignal
  readonly progress: (events: number) => void
}

export interface EventCounts {
  events: number
  /** Genuine, and younger than the last seal of their writer. */
  unsealed: number
  /** Without a code: from before there were codes, or of a command that had no keys. */
  unsigned: number
}

/**
 * Whether the events are those that were written: each has its code, and each number of a writer is
 * told of by a seal as being there or not. One pass in the order of writers and their numbers, with
 * the seals beside it.
 */
export async function verifyEvents(use: Dependencies, course: Course): Promise<EventCounts> {
  const counts: EventCounts = { events: 0, unsealed: 0, unsigned: 0 }
  for (let last: string | undefined; ; ) {
    const writerId = await use.log.writerAfter(last)
    if (writerId === undefined) return counts
    await verifyWriter(use, course, { writerId, counts })
    last = writerId
  }
}

interface Writer {
  readonly writerId: string
  readonly counts: EventCounts
}

async function verifyWriter(use: Dependencies, course: Course, writer: Writer): Promise<void> {
  const { writerId } = writer
  const seals = passSeals(use, course, writerId)
  let last = 0
  let certain = 0
  const untold: NumberRange[] = []
  for await (const same of byNumber(eventsOf(use, course, writer))) {
    const [{ number }] = same
    await seals.reach(number)
    if (number > last + 1) untold.push(...seals.absent(last + 1, number - 1))
    seals.pass(number)
    const event = verifyNumber(use, course, { ...writer, seals, same })
    certain = Math.max(certain, event?.settled ?? 0)
    last = number
  }
  await seals.end(last + 1)
  // Of these no seal tells; but their writer was certain of some when it wrote a later one.
  for (const [number, lastNumber] of untold.filter(([first]) => first <= certain)) {
    const place = { writerId, number, lastNumber: Math.min(lastNumber, certain) }
    use.findings.add({ kind: 'event_removed', ...place })
  }
}

async function* eventsOf(
  { log }: Dependencies,
  { signal, progress }: Course,
  { writerId, counts }: Writer,
): AsyncGenerator<CodedEvent> {
  for (let place: Pick<CodedEvent, 'number' | 'eventId'> | undefined; ; ) {
    signal.throwIfAborted()
    const page = await log.eventsAfter(writerId, place, PAGE)
    counts.events += page.length
    yield* page
    progress(counts.events)
    place = page.at(-1)
    if (place === undefined || page.length < PAGE) return
  }
}

/** Events that say they have the same number, together. */
async function* byNumber(
  events: AsyncIterable<CodedEvent>,
): AsyncGenerator<readonly [CodedEvent, ...CodedEvent[]]> {
  let same: [CodedEvent, ...CodedEvent[]] | undefined
  for await (const event of events) {
    if (same?.[0].number === event.number) {
      same.push(event)
      continue
    }
    if (same !== undefined) yield same
    same = [event]
  }
  if (same !== undefined) yield same
}

interface SameNumber extends Writer {
  readonly seals: PassingSeals
  readonly same: readonly [CodedEvent, ...CodedEvent[]]
}

/** The genuine one, where there is one and it belongs there. */
function verifyNumber(
  { keys, findings }: Dependencies,
  { ended, unsignedUpTo }: Course,
  { writerId, counts, seals, same }: SameNumber,
): CodedEvent | undefined {
  const [{ number }] = same
  const including = seals.including(number)
  const [seal] = including
  const place = ({ eventId, at }: CodedEvent) => ({ writerId, number, eventId, at, seal })
  const genuine = same.find((event) => isGenuine(keys, event))
  const first = genuine ?? same[0]
  for (const other of same) {
    if (other !== first) findings.add({ kind: 'event_inserted', ...place(other) })
  }
  if (genuine === undefined) {
    findings.add({ kind: 'event_changed', ...place(first) })
    return undefined
  }
  seals.take(number, eventCode(keys.events, genuine))
  if (writerId === UNSIGNED_WRITER) {
    counts.unsigned += 1
    const isOld = seal !== undefined && seal <= unsignedUpTo
    if (!isOld && !withoutKeys.has(genuine.action)) {
      findings.add({ kind: 'event_inserted', ...place(genuine) })
    }
  } else if (seal === undefined) {
    if (seals.isUnused(number)) findings.add({ kind: 'event_inserted', ...place(genuine) })
    else if (ended.has(writerId)) findings.add({ kind: 'event_unsealed', ...place(genuine) })
    else counts.unsealed += 1
  }
  return genuine
}

/** Whether its writer wrote it so, and there. */
export function isGenuine(keys: AuditKeys, event: CodedEvent): boolean {
  if (event.writerId === UNSIGNED_WRITER) return event.code.length === 0
  return Buffer.compare(eventCode(keys.events, event), event.code) === 0
}
