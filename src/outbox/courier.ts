import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import type { Bell } from './bell.js'
import { type DeliverOptions, deliver } from './deliver.js'
import type { OutboxStore, WaitingMessage } from './ports.js'
import { presence } from './presence.js'

export interface CourierOptions extends Omit<DeliverOptions, 'outbox' | 'there'> {
  readonly db: Transactions<{ outbox: OutboxStore }>
  /** Resources that are told of at a time; 1: everything in the order of the log. */
  readonly lanes: number
  readonly bell: Bell
  readonly log: Pick<WorkLog, 'info' | 'warn'>
  /** Milliseconds between two looks where nobody rings: for what other processes commit. */
  readonly lookEveryMs?: number
}

const TRY_ANOTHER = 4
/** Messages looked at in one go. */
const WINDOW = 100

/**
 * Carries what waits for one destination there, until `signal` aborts or the time is over; what is under
 * way then is finished first. A message is removed after its receiver has it: one that arrives and is not
 * removed, by a kill, arrives again.
 */
export function courier(use: CourierOptions) {
  const { db, destination, lanes, bell, lookEveryMs = 1_000 } = use
  const outbox = db.stores.outbox
  const there = presence({ ...use, mostFailures: lanes === 1 ? 1 : 3 })
  const work = deliver({ ...use, outbox, there })
  const { most } = use.receiver
  // One that is refused is halved until the message to blame stands alone.
  let batch = most

  /** What may be sent now: nothing while the destination is left alone, one message to try it. */
  const take = async (except: readonly string[], free: number): Promise<WaitingMessage[]> => {
    const now = new Date()
    if (there.pausedMs() > 0) return []
    if (!there.isAway()) {
      return await outbox.due(destination, { now, limit: lanes === 1 ? batch : WINDOW, except })
    }
    if (free < lanes) return []
    const trial = (await another(now, except)) ?? (await outbox.oldest(destination))
    return trial === undefined ? [] : [trial]
  }

  /**
   * To try whether it is there: where order is kept of everything the oldest, and now and then another,
   * in case it is that message which the receiver stumbles over.
   */
  const another = async (now: Date, except: readonly string[]) => {
    if (lanes === 1 && there.pauses() % TRY_ANOTHER !== 0) return undefined
    return (await outbox.due(destination, { now, limit: 1, except }))[0]
  }

  return async (signal: AbortSignal, untilMs: number): Promise<void> => {
    const underWay = new Map<string, Promise<void>>()
    const broken = new AbortController()
    const either = AbortSignal.any([signal, broken.signal])
    const begin = (name: string, messages: readonly WaitingMessage[]) => {
      const lane = work(messages, either)
        .then((taken) => {
          batch = taken ? Math.min(batch * 2, most) : Math.max(Math.floor(messages.length / 2), 1)
        })
        .catch((error: unknown) => {
          broken.abort(error)
        })
        .finally(() => {
          underWay.delete(name)
          bell.ring()
        })
      underWay.set(name, lane)
    }
    while (!either.aborted && performance.now() < untilMs) {
      const seen = bell.rung()
      const free = lanes - underWay.size
      const found = free > 0 ? await take([...underWay.keys()], free) : []
      const groups = lanes === 1 ? inOne(found) : byResource(found)
      for (const [name, messages] of groups.slice(0, free)) begin(name, messages)
      if (found.length === 0 || groups.length > free) {
        const paused = there.pausedMs()
        await bell.wait(seen, paused > 0 ? paused : lookEveryMs, either)
      }
    }
    await Promise.all(underWay.values())
    // What broke is no receiver's doing: the job runner says it, and begins again.
    if (broken.signal.aborted) throw broken.signal.reason
  }
}

type Group = readonly [name: string, messages: readonly WaitingMessage[]]

function inOne(messages: readonly WaitingMessage[]): Group[] {
  return messages.length === 0 ? [] : [['', messages]]
}

function byResource(messages: readonly WaitingMessage[]): Group[] {
  const groups = new Map<string, WaitingMessage[]>()
  for (const message of messages) {
    const group = groups.get(message.resource)
    if (group === undefined) groups.set(message.resource, [message])
    else group.push(message)
  }
  return [...groups]
}
