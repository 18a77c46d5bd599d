export interface JobRow {
  readonly jobId: string
  readonly kind: string
  /** Ids alone. */
  readonly payload: Readonly<Record<string, string>>
  /** Times it was claimed: tells a claim from a later one. */
  readonly attempts: number
  /** Failures since it was last done. */
  readonly failures: number
  /** What its handler saved the last time, if it was broken off since. Ids and numbers. */
  readonly progress: Readonly<Record<string, string | number>> | null
}

export type NewJob = Pick<JobRow, 'jobId' | 'kind' | 'payload'>

export type ClaimedJob = Pick<JobRow, 'jobId' | 'attempts'>

/** A job as an operator sees it. */
export interface ListedJob extends JobRow {
  readonly runAfter: Date
  /** Until when a node is at work on it; in the past: that node is gone. */
  readonly leaseUntil: Date | null
  /** Code of its last failure. */
  readonly failedReason: string | null
}

/** How many jobs of a kind there are. */
export interface JobCount {
  readonly kind: string
  /** Due, and nobody is at work on it. */
  readonly due: number
  readonly running: number
  /** Whose last run failed. */
  readonly failed: number
  /** Since when the first of those that are due is. */
  readonly oldestDue: Date | null
}

export interface JobStore {
  /**
   * Adds a job, in the transaction of the change that calls for it. Where one of this id is under way,
   * that one is enough; one that is waiting is done at the earlier time of both.
   */
  add(job: NewJob, runAfter: Date): Promise<void>
  /** Takes the oldest job that is due and leased by no one (FOR UPDATE SKIP LOCKED). */
  claim(kinds: readonly string[], now: Date, leaseUntil: Date): Promise<JobRow | undefined>
  /**
   * Adds a job and takes it at once, or takes the one of this id, which keeps its progress; nothing
   * where a node is at work on that.
   */
  begin(job: NewJob, now: Date, leaseUntil: Date): Promise<JobRow | undefined>
  /** Those that are due first come first. */
  list(limit: number): Promise<ListedJob[]>
  count(now: Date): Promise<JobCount[]>
  /** Lets go of all leases: for the one process that owns the database, before it begins. */
  releaseAll(): Promise<void>
  /** For whoever goes on with it; nothing happens where its lease has passed to another node. */
  saveProgress(job: ClaimedJob, progress: NonNullable<JobRow['progress']>): Promise<void>
  /** False where its lease has passed to another node. */
  renew(job: ClaimedJob, leaseUntil: Date): Promise<boolean>
  /** Gives it back to be done again then, as it is done; not where its lease has passed on. */
  again(job: ClaimedJob, runAfter: Date): Promise<void>
  /** Removes it; nothing happens where its lease has passed to another node. */
  done(job: ClaimedJob): Promise<void>
  /**
   * Gives it back for later: after a failure, where there is a reason, else as it was. Nothing happens
   * where its lease has passed to another node.
   */
  retry(job: ClaimedJob, runAfter: Date, reason: string | null): Promise<void>
}
