export interface JobRow {
  readonly jobId: string
  readonly kind: string
  /** Ids alone. */
  readonly payload: Readonly<Record<string, string>>
  readonly attempts: number
}

export interface JobStore {
  /** Adds a job, in the transaction of the change that calls for it. */
  add(job: Omit<JobRow, 'attempts'>, runAfter: Date): Promise<void>
  /** Takes the oldest job that is due and leased by no one (FOR UPDATE SKIP LOCKED). */
  claim(kinds: readonly string[], now: Date, leaseUntil: Date): Promise<JobRow | undefined>
  done(jobId: string): Promise<void>
  /** Gives it back for later. */
  retry(jobId: string, runAfter: Date, reason: string): Promise<void>
}
