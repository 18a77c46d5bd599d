import type { Transactions } from '../ports/transactions.js'
import type { FileStores } from './ports.js'

/** Milliseconds between two looks at the grants that running readings rest on. */
const LOOK_EVERY_MS = 1_000
/** Milliseconds between two questions whether what a reading rests on still holds. */
const ASK_EVERY_MS = 1_000
/** Questions under way at once: others have some, too. */
const MOST_QUESTIONS = 8
/** Milliseconds a reading goes on without an answer: as long as an answer may be remembered. */
const UNANSWERED_MS = 60_000

/** Times are of `performance.now()`. */
interface Asked {
  isAsking: boolean
  askedAt: number
  /** Of the last answer; at first, when the reading began, which rests on one. */
  answeredAt: number
}

/** A reading under way. */
export interface RunningRead {
  readonly grantId: string
  /**
   * Where its grant is good only while something else holds; where that cannot be said, it throws. A
   * reading of which it cannot be said for a minute is ended.
   */
  readonly stillHolds?: (() => Promise<boolean>) | undefined
  /** Called at most once, when the reading must end. */
  end(why: EndReason): Promise<void>
}

/**
 * Readings under way. One query a second, whatever their number, finds those whose grant was revoked
 * or whose file was deleted, on this node or another, and ends them; what else a grant rests on is
 * asked about each second, or as often as the answers come.
 */
export interface RunningReads {
  /** The answer is to be called when the reading is over. */
  add(reading: RunningRead): () => void
  /** How many are under way. */
  count(): number
  /** Something to be put on record of a reading: `close` waits for it. Failures are told. */
  track(work: Promise<void>): void
  /** Looks at once: called when something that readings rest on may have ended. */
  look(): void
  /** Ends all of them, and those that come later: the service does not wait any longer. */
  endAll(): Promise<void>
  /** Looks no more. Resolves when what became of the readings is on record. */
  close(): Promise<void>
}

/** Why a reading is ended that nothing is wrong with. */
export type EndReason = 'grant_ended' | 'shutting_down'

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'files'>>
  /** Told when the grants cannot be looked at: readings go on until they can. */
  readonly onProblem: (error: unknown) => void
}

export function runningReads({ db, onProblem }: Dependencies): RunningReads {
  const running = new Set<RunningRead>()
  const resting = new Map<RunningRead, Asked>()
  const tracked = new Set<Promise<void>>()
  let looking = false
  let wanted = 0
  let asking = 0
  let ending = false

  const track = (work: Promise<void>) => {
    const told = work.catch(onProblem).finally(() => tracked.delete(told))
    tracked.add(told)
  }
  const forget = (reading: RunningRead) => {
    running.delete(reading)
    resting.delete(reading)
  }
  const endThose = (isEnded: (reading: RunningRead) => boolean, why: EndReason) => {
    for (const reading of running) {
      if (!isEnded(reading)) continue
      forget(reading)
      track(reading.end(why))
    }
  }
  const look = async () => {
    wanted += 1
    if (looking || running.size === 0) return
    const seen = wanted
    looking = true
    try {
      const grantIds = [...new Set([...running].map(({ grantId }) => grantId))]
      const ended = new Set(await db.stores.files.endedGrants(grantIds))
      endThose(({ grantId }) => ended.has(grantId), 'grant_ended')
    } catch (error) {
      onProblem(error)
    } finally {
      looking = false
    }
    // What ended while it looked may have been looked at before.
    if (wanted > seen) await look()
  }
  /** Apart from the look, and each by itself: one that answers late keeps nothing else waiting. */
  const ask = async (reading: RunningRead, asked: Asked) => {
    asking += 1
    asked.askedAt = performance.now()
    try {
      if (await reading.stillHolds?.()) asked.answeredAt = performance.now()
      else endThose((each) => each === reading, 'grant_ended')
    } catch (error) {
      onProblem(error)
    }
    asking -= 1
    asked.isAsking = false
    askNext()
  }
  const askNext = () => {
    const now = performance.now()
    // A copy: what is put at the end of a map while it is gone through comes round again, for ever.
    for (const [reading, asked] of [...resting]) {
      if (asking >= MOST_QUESTIONS) return
      if (asked.isAsking || now - asked.askedAt < ASK_EVERY_MS) continue
      // To the end of the queue: whoever was asked longest ago is next.
      resting.delete(reading)
      resting.set(reading, asked)
      asked.isAsking = true
      void ask(reading, asked)
    }
  }
  const endUnanswered = () => {
    const long = performance.now() - UNANSWERED_MS
    endThose((reading) => (resting.get(reading)?.answeredAt ?? long) < long, 'grant_ended')
  }
  const settled = async () => {
    await Promise.all(tracked)
  }
  const timer = setInterval(() => void look(), LOOK_EVERY_MS)
  timer.unref()
  const askTimer = setInterval(() => {
    endUnanswered()
    askNext()
  }, ASK_EVERY_MS)
  askTimer.unref()
  return {
    add: (reading) => {
      if (ending) {
        track(reading.end('shutting_down'))
        return () => undefined
      }
      running.add(reading)
      if (reading.stillHolds !== undefined) {
        const now = performance.now()
        resting.set(reading, { isAsking: false, askedAt: now, answeredAt: now })
      }
      return () => {
        forget(reading)
      }
    },
    count: () => running.size,
    track,
    look: () => {
      void look()
    },
    endAll: async () => {
      ending = true
      endThose(() => true, 'shutting_down')
      await settled()
    },
    close: async () => {
      clearInterval(timer)
      clearInterval(askTimer)
      // Answers still to come ask for no more.
      resting.clear()
      await settled()
    },
  }
}
