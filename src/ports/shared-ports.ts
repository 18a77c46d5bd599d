/** A counter and when it begins again. */
export interface Count {
  readonly current: number
  /** Milliseconds until it is forgotten. */
  readonly ttl: number
}

/** Counters that the nodes of a deployment have in common, where there is something to keep them in. */
export interface SharedCounts {
  /** Adds one to the counter of that name; undefined: it cannot be had now. Never rejects. */
  add(name: string, windowMs: number): Promise<Count | undefined>
}

/** An answer, and how long ago it was given. */
export interface SharedAnswer {
  readonly text: string
  readonly ageMs: number
}

/** Questions to somebody else that the nodes of a deployment ask once among them. */
export interface SharedAnswers {
  /**
   * Asks, or gives what another node was told under the same name a short while ago. Where nothing can be
   * known of the others it asks. `tellLimitMs`: as long as asking can take.
   * @throws what `ask` throws; the next one asks again
   */
  once(name: string, ask: () => Promise<string>, tellLimitMs: number): Promise<SharedAnswer>
}

/** `jobs`: there may be one that is due. `reads`: something that a reading rests on may have ended. */
export type Signal = 'jobs' | 'reads'

/** What the nodes of a deployment call to each other. A call that is lost costs time, nothing else. */
export interface Signals {
  /** To all others. Never throws. */
  send(signal: Signal): void
  on(signal: Signal, listener: () => void): void
}
