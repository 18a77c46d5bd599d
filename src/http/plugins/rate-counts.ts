import type { Count, SharedCounts } from '../../ports/shared-ports.js'

interface Window {
  /** Counted by this node. */
  own: number
  /** Counted by the others at least. */
  others: number
  /** By `performance.now()`. */
  endsAt: number
}

/**
 * Counts of this node. Of more than `most` names those that were not seen for longest are forgotten.
 * Windows begin with the first count; one that other nodes began ends when theirs does.
 */
function ownCounts(most: number) {
  const windows = new Map<string, Window>()
  const open = (name: string, windowMs: number): Window => {
    const now = performance.now()
    const found = windows.get(name)
    const window =
      found !== undefined && found.endsAt > now
        ? found
        : { own: 0, others: 0, endsAt: now + windowMs }
    // To the end: the first is the one not seen for longest.
    windows.delete(name)
    windows.set(name, window)
    if (windows.size > most) windows.delete(windows.keys().next().value ?? '')
    return window
  }
  return { open }
}

const ttlOf = ({ endsAt }: Window) => Math.max(endsAt - performance.now(), 1)

type Told = (error: Error | null, count?: Count) => void

interface Options {
  /** Names that are told apart at a time. */
  readonly most: number
  /** Absent: this node counts by itself. */
  readonly shared: SharedCounts | undefined
}

/**
 * The store of @fastify/rate-limit. This node counts whatever becomes of the others' counts, so that it
 * goes on from there where they cannot be had. Whoever is past the limit here is past it: nobody is asked.
 */
export function rateCounts({ most, shared }: Options) {
  return class RateCounts {
    readonly #own = ownCounts(most)

    incr(name: string, told: Told, windowMs: number, max: number): void {
      const window = this.#own.open(name, windowMs)
      window.own += 1
      const nth = window.own
      const current = nth + window.others
      if (shared === undefined || current > max) {
        told(null, { current, ttl: ttlOf(window) })
        return
      }
      shared
        .add(name, windowMs)
        .then((all) => {
          told(null, { current: takeOver(window, nth, within(all, windowMs)), ttl: ttlOf(window) })
        })
        .catch(told)
    }

    /** Of each limit, its own: those of one kind crowd out no others. */
    child(): RateCounts {
      return new RateCounts()
    }
  }
}

/** Whatever Redis holds, a window is no longer than it is meant to be. */
const within = (all: Count | undefined, windowMs: number): Count | undefined =>
  all && { ...all, ttl: Math.min(all.ttl, windowMs) }

/**
 * The count of all when this node counted for the `nth` time. Where it is behind what is known, theirs began
 * anew, a moment before ours or because Redis lost it: ours goes on to its end.
 */
function takeOver(window: Window, nth: number, all: Count | undefined): number {
  const known = nth + window.others
  if (all === undefined || all.current < known) return known
  window.others = all.current - nth
  window.endsAt = performance.now() + all.ttl
  return all.current
}
