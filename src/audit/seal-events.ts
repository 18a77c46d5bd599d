import { isStrongroomError } from '../errors/strongroom-error.js'
import type { Meter } from '../ports/meter.js'
import type { Transactions } from '../ports/transactions.js'
import { adoptWriters } from './adopt-writers.js'
import { alertEvent } from './alert-event.js'
import { auditEvent } from './audit-log.js'
import { type SealedWriter, type Unsealed } from './audit-writer.js'
import { type AuditKeys } from './event-code.js'
import { rangesOf, rangesText } from './number-ranges.js'
import { type CodedSeal } from './ports.js'
import { codeSeal, firstNumberOf, type Head, headOf, START } from './seal.js'
import {
  countDays,
  MOST_IN_A_SEAL,
  type SealContent,
  type SealInto,
  type SealStores,
  sealed,
} from './seal-content.js'
import { systemActor } from './system-actor.js'

/** After so many milliseconds a transaction of which nobody knows the end has ended. */
const DOUBT_ENDS_MS = 90_000

export interface SealerDependencies {
  readonly db: Transactions<SealStores>
  readonly keys: AuditKeys
  readonly writer: SealedWriter
  /** This process alone can have the database open: every other writer is gone. */
  readonly isAlone: boolean
  readonly onProblem: (error: unknown) => void
  readonly meter?: Pick<Meter, 'eventsSealed'> | undefined
}

/** What one process does about seals; its calls **must not** overlap. */
export interface Sealer {
  /** Makes the writer known: before its first event. */
  begin(): Promise<void>
  /** Hears whether somebody asks that all written before be sealed: before `seal`. */
  hear(): Promise<void>
  /** Answers whoever asked, once that is so: after `seal`. */
  answer(): Promise<void>
  /** Seals what is certain. The head, where there is a new one. */
  seal(): Promise<Head | undefined>
  /** Tells the others that this writer lives. */
  tell(): Promise<void>
  /** Seals what writers left that are gone, or that had no key. */
  adopt(): Promise<void>
  /** Seals the rest; the writer **must** write no more. */
  end(): Promise<Head | undefined>
  /** The last seal this process has seen. */
  head(): Head
}

/**
 * Seals are made of what this process knows it wrote, not of what the database has: an event that is
 * changed or removed before it is sealed does not fit its seal.
 * @throws StrongroomError `database_unavailable`: nothing is lost, the next seal has it
 */
export function sealer(use: SealerDependencies): Sealer {
  const { db, writer } = use
  const chain = openChain(use)
  const { settle, sealTaken } = sealingTaken(use, chain)
  const seal = async () => {
    await settle()
    await resolveDoubts(use)
    let made: Head | undefined
    while (writer.waiting() > 0) {
      const taken = writer.take(MOST_IN_A_SEAL)
      if (taken.events.length === 0) {
        writer.giveBack(taken)
        break
      }
      made = await sealTaken(taken)
    }
    return made
  }
  const { hear, answer } = answering(use)
  const tell = () => db.stores.seals.saw(writer.place())
  return {
    begin: async () => {
      await tell()
      await chain.look()
    },
    hear,
    seal,
    answer,
    tell,
    adopt: () => adoptWriters({ ...use, ...chain }),
    end: async () => {
      const head = await seal()
      if (writer.highest() === 0) await db.stores.seals.forget(writer.writerId)
      else await db.stores.seals.end(writer.writerId)
      return head
    },
    head: chain.head,
  }
}

/** The chain as this process has seen it, which the database must not fall behind. */
function openChain({ db, keys, onProblem }: SealerDependencies) {
  let seen: Head = START
  const last = async ({ seals }: Pick<SealStores, 'seals'>) => {
    const seal = await seals.last()
    return seal === undefined ? START : headOf(seal)
  }
  /** Whether what was seen is still there. */
  const holds = async ({ seals }: Pick<SealStores, 'seals'>, now: Head) => {
    if (seen.number === 0 || isSame(now, seen)) return true
    if (now.number <= seen.number) return false
    const found = await seals.find(seen.number)
    return found !== undefined && isSame(headOf(found), seen)
  }
  const sealInto: SealInto = async (stores, content) => {
    const now = await last(stores)
    if (!(await holds(stores, now))) {
      onProblem(
        new Error('Seals of the audit log were removed or changed: strongroom audit verify'),
      )
      const facts = { action: 'audit.broken', outcome: 'failed', reason: 'damaged' } as const
      await stores.audit.append(auditEvent(systemActor('audit'), facts))
      await stores.audit.append(alertEvent('audit_damaged', {}))
    }
    // After a cut the numbers go on where they were: the gap shows.
    const before = now.number < seen.number ? seen : now
    const seal = codeSeal(keys, {
      ...content,
      number: before.number + 1,
      previous: before.digest,
      firstNumber: firstNumberOf(content),
      total: before.total + content.events,
      sealedAt: new Date(),
    })
    await stores.seals.insert(seal)
    return seal
  }
  return {
    sealInto,
    head: () => seen,
    /** Told once a seal is committed. */
    saw: (seal: CodedSeal) => {
      if (seal.number > seen.number) seen = headOf(seal)
    },
    look: async () => {
      const now = await last(db.stores)
      if (now.number > seen.number) seen = now
    },
  }
}

const isSame = (one: Head, other: Head) =>
  one.number === other.number && Buffer.compare(one.digest, other.digest) === 0

type Chain = ReturnType<typeof openChain>

function sealingTaken({ db, writer, meter }: SealerDependencies, chain: Chain) {
  /** One whose COMMIT nobody answered for: what is in it is neither sealed nor not. */
  let unsure: { readonly seal: CodedSeal; readonly taken: Unsealed } | undefined

  const settle = async () => {
    if (unsure === undefined) return
    const { seal, taken } = unsure
    const found = await db.transaction(async ({ seals }) => {
      // Whoever was still at it has ended once the lock is had.
      await seals.lock()
      return await seals.find(seal.number)
    })
    unsure = undefined
    if (found !== undefined && Buffer.compare(found.code, seal.code) === 0) {
      writer.sealed(taken)
      chain.saw(seal)
    } else {
      writer.giveBack(taken)
    }
  }
  const sealTaken = async (taken: Unsealed): Promise<Head> => {
    let made: CodedSeal | undefined
    try {
      const seal = await db.transaction(async (stores) => {
        await stores.seals.lock()
        made = await chain.sealInto(stores, contentOf(writer.writerId, taken))
        await stores.seals.count(countDays(taken.events))
        await stores.seals.saw(writer.place(taken))
        return made
      })
      writer.sealed(taken)
      chain.saw(seal)
      meter?.eventsSealed(taken.events.length)
      return headOf(seal)
    } catch (error) {
      if (made !== undefined && isStrongroomError(error, 'commit_unknown')) {
        unsure = { seal: made, taken }
      } else {
        writer.giveBack(taken)
      }
      throw error
    }
  }
  return { settle, sealTaken }
}

function answering({ db, writer }: SealerDependencies): Pick<Sealer, 'hear' | 'answer'> {
  let heard: { readonly question: number; readonly upTo: number } | undefined
  return {
    hear: async () => {
      if (heard !== undefined) return
      const question = await db.stores.seals.question(writer.writerId)
      if (question !== undefined) heard = { question, upTo: writer.highest() }
    },
    answer: async () => {
      if (heard === undefined || !writer.isSealedUpTo(heard.upTo)) return
      await db.stores.seals.answer(writer.writerId, heard.question)
      heard = undefined
    },
  }
}

function contentOf(writerId: string, { events, unused }: Unsealed): SealContent {
  return {
    ...{ writerId, ...sealed(events), missing: '', isAdopted: false },
    unused: rangesText(rangesOf(unused)),
  }
}

/** Looks up what became of transactions whose end nobody told, once it is certain that they have one. */
async function resolveDoubts({ db, writer }: SealerDependencies): Promise<void> {
  const before = performance.now() - DOUBT_ENDS_MS
  const numbers = writer.doubtful().flatMap(({ event, since }) => {
    return since <= before ? [event.number] : []
  })
  if (numbers.length === 0) return
  const present = new Set(await db.stores.seals.present(writer.writerId, numbers))
  for (const number of numbers) writer.resolve(number, present.has(number))
}
