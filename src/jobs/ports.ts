export interface JobRow {
  readonly jobId: string
  readonly kind: string
  /** Ids alone. */
  readonly payload: Readonly<Record<string, string>>
  readonly attempts: number
}

/** A claim is told from a later one by its number of attempts. */
export type ClaimedJob = Pick<JobRow, 'jobId' | 'attempts'>

export interface JobStore {
  /**
   * Adds a job, in the transaction of the change that calls for it. Where one of this id is waiting or
   * under way, that one is enough.
   */
  add(job: Omit<JobRow, 'attempts'>, runAfter: Date): Promise<void>
  /** Takes the oldest job that is due and leased by no one (FOR UPDATE SKIP LOCKED). */
  claim(kinds: readonly string[], now: Date, leaseUntil: Date): Promise<JobRow | undefined>
  /** Removes it; nothing happens where its lease has passed to another node. */
  done(job: ClaimedJob): Promise<void>
  /** Gives it back for later; nothing happens where its lease has passed to another node. */
  retry(job: ClaimedJob, runAfter: Date, reason: string): Promise<void>
}
