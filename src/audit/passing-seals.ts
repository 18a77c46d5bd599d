import { type AuditKeys } from './event-code.js'
import type { Findings } from './findings.js'
import { merkleRoot } from './merkle-root.js'
import { isIn, meet, type NumberRange, parseRanges, without } from './number-ranges.js'
import type { VerifyStore } from './ports.js'
import { type CodedSeal } from './ports.js'
import { isGenuineSeal } from './verify-chain.js'

const PAGE = 500

interface Dependencies {
  readonly log: Pick<VerifyStore, 'sealsOf'>
  readonly keys: AuditKeys
  readonly findings: Findings
}

/** The seals of a writer beside its numbers, which are passed in ascending order. */
export interface PassingSeals {
  /** Opens those that tell of numbers up to this one. */
  reach(number: number): Promise<void>
  /** Tells of the numbers in between that were there; gives those that no seal tells of. */
  absent(first: number, last: number): NumberRange[]
  /** Closes those that tell only of lower numbers. */
  pass(number: number): void
  /** Numbers of the open seals that say this event is there. */
  including(number: number): number[]
  /** Whether one says that no event has it. */
  isUnused(number: number): boolean
  /** An event that is there, and its code. */
  take(number: number, code: Uint8Array): void
  /** No event has a number from this one on. */
  end(number: number): Promise<void>
}

interface OpenSeal {
  readonly seal: CodedSeal
  readonly included: readonly NumberRange[]
  readonly unused: readonly NumberRange[]
  readonly missing: readonly NumberRange[]
  /** The highest number it tells of. */
  readonly last: number
  /** Its events may be gone: their month was dropped. */
  readonly isDropped: boolean
  /** Codes of the events in it that are there, in the order of their numbers. */
  readonly codes: Uint8Array[]
}

interface Course {
  /** Seals after it are left for the next time. */
  readonly upTo: number
  /** Months before it were dropped. */
  readonly droppedBefore: Date | undefined
}

export function passSeals(
  use: Dependencies,
  { upTo, droppedBefore }: Course,
  writerId: string,
): PassingSeals {
  const { findings } = use
  const openSeal = opener(droppedBefore)
  let open: OpenSeal[] = []
  const nextUpTo = sealsInOrder(use, upTo, writerId)

  const reach = async (number: number) => {
    for (;;) {
      const seal = await nextUpTo(number)
      if (seal === undefined) return
      open.push(openSeal(seal))
    }
  }
  const absent = (first: number, last: number) => {
    let untold: NumberRange[] = [[first, last]]
    for (const { seal, included, unused, missing, isDropped } of open) {
      if (isDropped) for (const range of included) untold = without(untold, range)
      for (const range of isDropped ? missing : [...included, ...missing]) {
        for (const [number, lastNumber] of meet(untold, range)) {
          const place = { seal: seal.number, at: seal.sealedAt, writerId }
          findings.add({ kind: 'event_removed', ...place, number, lastNumber })
        }
        untold = without(untold, range)
      }
      for (const range of unused) untold = without(untold, range)
    }
    return untold
  }
  const pass = (number: number) => {
    for (const one of open) if (one.last < number) verifyRoot(findings, one)
    open = open.filter(({ last }) => last >= number)
  }
  return {
    ...{ reach, absent, pass },
    including: (number) =>
      open.flatMap(({ seal, included }) => (isIn(included, number) ? [seal.number] : [])),
    isUnused: (number) => open.some(({ unused }) => isIn(unused, number)),
    take: (number, code) => {
      for (const { included, codes } of open) if (isIn(included, number)) codes.push(code)
    },
    end: async (number) => {
      // As long as seals come, their numbers are looked at: all that are left cannot be held at once.
      let from = number
      for (;;) {
        const seal = await nextUpTo(Number.MAX_SAFE_INTEGER)
        if (seal === undefined) break
        if (seal.firstNumber > from) absent(from, seal.firstNumber - 1)
        from = Math.max(from, seal.firstNumber)
        pass(from)
        open.push(openSeal(seal))
      }
      absent(from, Number.MAX_SAFE_INTEGER)
      pass(Number.POSITIVE_INFINITY)
    },
  }
}

/** The next seal that begins no later than at a number. What was changed is told of with the chain. */
function sealsInOrder({ log, keys }: Dependencies, upTo: number, writerId: string) {
  let waiting: CodedSeal[] = []
  let place: Pick<CodedSeal, 'firstNumber' | 'number'> | undefined
  let isOver = false
  const fill = async () => {
    while (waiting.length === 0 && !isOver) {
      const page = await log.sealsOf(writerId, place, PAGE)
      isOver = page.length < PAGE
      place = page.at(-1)
      waiting = page.filter((seal) => seal.number <= upTo && isGenuineSeal(keys, seal))
    }
  }
  return async (number: number): Promise<CodedSeal | undefined> => {
    await fill()
    const [next] = waiting
    if (next === undefined || next.firstNumber > number) return undefined
    return waiting.shift()
  }
}

function opener(droppedBefore: Date | undefined) {
  return (seal: CodedSeal): OpenSeal => ({
    ...rangesOfSeal(seal),
    seal,
    isDropped: droppedBefore !== undefined && seal.lastAt < droppedBefore,
    codes: [],
  })
}

function rangesOfSeal(seal: CodedSeal): Pick<OpenSeal, 'included' | 'unused' | 'missing' | 'last'> {
  const [included = [], unused = [], missing = []] = [seal.included, seal.unused, seal.missing].map(
    parseRanges,
  )
  const last = Math.max(...[included, unused, missing].map((ranges) => ranges.at(-1)?.[1] ?? 0))
  return { included, unused, missing, last }
}

/** Where an event is not there or changed, that was told; here one stands for another. */
function verifyRoot(findings: Findings, { seal, codes }: OpenSeal): void {
  if (codes.length !== seal.events) return
  if (Buffer.compare(merkleRoot(codes), seal.root) === 0) return
  const place = { seal: seal.number, at: seal.sealedAt, writerId: seal.writerId }
  findings.add({ kind: 'event_changed', ...place })
}
