import { type AuditKeys } from './event-code.js'
import type { Findings } from './findings.js'
import { parseRanges } from './number-ranges.js'
import type { SealStore } from './ports.js'
import { type CodedSeal } from './ports.js'
import { firstNumberOf, type Head, headOf, START, sealCode } from './seal.js'

const PAGE = 1_000

interface Dependencies {
  readonly seals: Pick<SealStore, 'after'>
  readonly keys: Pick<AuditKeys, 'seals'>
  readonly findings: Findings
}

interface Course {
  /** Seals after it are left for the next time. */
  readonly upTo: number
  /** Heads known from elsewhere: what this process saw, and what was put outside. */
  readonly heads: ReadonlyMap<number, ReadonlySet<string>>
  readonly signal: AbortSignal
  readonly progress: (seals: number) => void
}

/** Whether the seals are those that were made, in their order, none missing. The number of seals. */
export async function verifyChain(use: Dependencies, course: Course): Promise<number> {
  let before: Head = START
  let seen = 0
  for (;;) {
    course.signal.throwIfAborted()
    const page = await use.seals.after(before.number, PAGE)
    for (const seal of page) {
      if (seal.number > course.upTo) return end(use, course, { before, seen })
      verifySeal(use, seal, before)
      before = verifyHead(use, course, seal)
      seen += 1
    }
    course.progress(seen)
    if (page.length < PAGE) return end(use, course, { before, seen })
  }
}

function verifySeal({ keys, findings }: Dependencies, seal: CodedSeal, before: Head): void {
  const place = { seal: seal.number, writerId: seal.writerId, at: seal.sealedAt }
  if (!isGenuineSeal(keys, seal)) findings.add({ kind: 'seal_changed', ...place })
  if (seal.number > before.number + 1) {
    const [first, last] = [before.number + 1, seal.number - 1]
    findings.add({ kind: 'seal_removed', seal: first, lastSeal: last, at: seal.sealedAt })
  } else if (Buffer.compare(seal.previous, before.digest) !== 0) {
    findings.add({ kind: 'seal_misplaced', ...place })
  }
}

/** Its code fits, and its ranges are what the makers of seals write. */
export function isGenuineSeal(keys: Pick<AuditKeys, 'seals'>, seal: CodedSeal): boolean {
  const areRanges = [seal.included, seal.unused, seal.missing].every(
    (text) => parseRanges(text) !== undefined,
  )
  if (!areRanges || firstNumberOf(seal) !== seal.firstNumber) return false
  return Buffer.compare(sealCode(keys, seal), seal.code) === 0
}

function verifyHead({ findings }: Dependencies, { heads }: Course, seal: CodedSeal): Head {
  const head = headOf(seal)
  const digest = Buffer.from(head.digest).toString('hex')
  for (const known of heads.get(seal.number) ?? []) {
    if (known === digest) continue
    findings.add({ kind: 'anchor_differs', seal: seal.number, at: seal.sealedAt })
  }
  return head
}

interface Reached {
  readonly before: Head
  readonly seen: number
}

/** Heads past the end of the chain were cut off. */
function end({ findings }: Dependencies, { heads }: Course, { before, seen }: Reached): number {
  const last = [...heads.keys()].reduce((most, number) => Math.max(most, number), 0)
  if (last > before.number) {
    findings.add({ kind: 'seal_removed', seal: before.number + 1, lastSeal: last })
  }
  return seen
}
