import { type CodedEvent, UNSIGNED_WRITER } from './coded-events.js'
import { eventCode } from './event-code.js'
import { isIn, parseRanges, rangesOf, rangesText } from './number-ranges.js'
import type { WriterPlace } from './ports.js'
import { type CodedSeal } from './ports.js'
import {
  countDays,
  firstOfASeal,
  MOST_IN_A_SEAL,
  type SealContent,
  type SealInto,
  type SealStores,
  sealed,
} from './seal-content.js'
import type { SealerDependencies } from './seal-events.js'

/** A writer that said nothing for as long is taken for gone. */
const WRITER_GONE_MS = 120_000
/** Whoever has no key has committed by then what it wrote, in the order of its numbers. */
const UNSIGNED_AGE_MS = 90_000

interface Dependencies extends SealerDependencies {
  readonly sealInto: SealInto
  readonly saw: (seal: CodedSeal) => void
}

/**
 * Seals the events of writers that are gone. Of a number whose event is not there it says whether the
 * writer was certain of it (missing: somebody removed it) or not (unused: it was never committed).
 */
export async function adoptWriters(use: Dependencies): Promise<void> {
  const { db, writer, isAlone } = use
  const gone = await db.stores.seals.silent(isAlone ? 0 : WRITER_GONE_MS, writer.writerId)
  for (const place of gone) await adopt(use, place)
  await adoptUnsigned(use)
}

async function adopt({ db, keys, sealInto, saw }: Dependencies, place: WriterPlace): Promise<void> {
  const made = await db.transaction(async (stores) => {
    await stores.seals.lock()
    // Another node was first.
    if (!(await stores.seals.end(place.writerId))) return []
    const left = await leftBy(stores, place)
    const events = left.filter((event) => isGenuine(keys.events, event))
    const told = accountFor(place, events)
    const seals: CodedSeal[] = []
    for (let n = 0; n === 0 || n < events.length; ) {
      const part = firstOfASeal(events.slice(n))
      const absent = n === 0 ? told : { unused: '', missing: '' }
      if (part.length === 0 && absent.unused === '' && absent.missing === '') break
      seals.push(await sealAdopted({ stores, sealInto }, place.writerId, part, absent))
      n += Math.max(part.length, 1)
    }
    return seals
  })
  for (const seal of made) saw(seal)
}

/** All that is not sealed: less than what a process writes between two seals, as long as these are made. */
async function leftBy({ seals }: SealStores, place: WriterPlace): Promise<CodedEvent[]> {
  const beyond = parseRanges(place.sealedBeyond) ?? []
  const events: CodedEvent[] = []
  for (let after = place.sealedTo; ; ) {
    const page = await seals.eventsOf(place.writerId, after, MOST_IN_A_SEAL, 0)
    events.push(...page.filter(({ number }) => !isIn(beyond, number)))
    const last = page.at(-1)
    if (last === undefined || page.length < MOST_IN_A_SEAL) return events
    after = last.number
  }
}

function isGenuine(key: Uint8Array, event: CodedEvent): boolean {
  return Buffer.compare(eventCode(key, event), event.code) === 0
}

function accountFor(
  { sealedTo, sealedBeyond }: WriterPlace,
  events: readonly CodedEvent[],
): Pick<SealContent, 'unused' | 'missing'> {
  const beyond = parseRanges(sealedBeyond) ?? []
  const present = new Set(events.map(({ number }) => number))
  const certain = events.reduce((most, { settled }) => Math.max(most, settled), 0)
  const highest = events.reduce((most, { number }) => Math.max(most, number), certain)
  const missing: number[] = []
  const unused: number[] = []
  for (let number = sealedTo + 1; number <= highest; number++) {
    if (present.has(number) || isIn(beyond, number)) continue
    if (number <= certain) missing.push(number)
    else unused.push(number)
  }
  return { missing: rangesText(rangesOf(missing)), unused: rangesText(rangesOf(unused)) }
}

interface Sealing {
  readonly stores: SealStores
  readonly sealInto: SealInto
}

async function sealAdopted(
  { stores, sealInto }: Sealing,
  writerId: string,
  events: readonly CodedEvent[],
  absent: Pick<SealContent, 'unused' | 'missing'>,
  codes?: readonly Uint8Array[],
): Promise<CodedSeal> {
  const content = { writerId, ...sealed(events, codes), ...absent, isAdopted: true }
  const seal = await sealInto(stores, content)
  await stores.seals.count(countDays(events))
  return seal
}

/** They carry no code: the seal is over the codes they would have had. */
async function adoptUnsigned({ db, keys, sealInto, saw }: Dependencies): Promise<void> {
  for (;;) {
    const seal = await db.transaction(async (stores) => {
      await stores.seals.lock()
      const after = await stores.seals.unsignedTo()
      const limits = [MOST_IN_A_SEAL, UNSIGNED_AGE_MS] as const
      const events = firstOfASeal(await stores.seals.eventsOf(UNSIGNED_WRITER, after, ...limits))
      if (events.length === 0) return undefined
      const codes = events.map((event) => eventCode(keys.events, event))
      const absent = { unused: '', missing: '' }
      return await sealAdopted({ stores, sealInto }, UNSIGNED_WRITER, events, absent, codes)
    })
    if (seal === undefined) return
    saw(seal)
  }
}
