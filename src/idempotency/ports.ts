export interface IdempotencyRow {
  readonly callerId: string
  /** Route pattern with method. */
  readonly route: string
  /** Keyed hash of the Idempotency-Key header. */
  readonly keyHash: Buffer
  /** Drawn for each request: a claim that was taken over is no longer its first holder's. */
  readonly claimId: string
}

export type IdempotencyState =
  | { readonly kind: 'begun' }
  | { readonly kind: 'in_progress' }
  | { readonly kind: 'done'; readonly fingerprint: Buffer; readonly resourceId: string }

export interface IdempotencyStore {
  /**
   * Claims the key for `leaseMs` milliseconds. A claim whose lease has passed, or an answer older than 24 h, is
   * taken over.
   */
  begin(row: IdempotencyRow, leaseMs: number): Promise<IdempotencyState>
  /** Prolongs a claim whose request is still at work; nothing happens to one completed or lost. */
  renew(row: IdempotencyRow, leaseMs: number): Promise<void>
  /**
   * Keeps what the key stands for, in the transaction of the change. False where the claim is not
   * the request's any more: then the change must not be committed.
   */
  complete(row: IdempotencyRow, fingerprint: Buffer, resourceId: string, at: Date): Promise<boolean>
  /** Gives back a claim that came to nothing; nothing happens to one completed or lost. */
  abandon(row: IdempotencyRow): Promise<void>
}
