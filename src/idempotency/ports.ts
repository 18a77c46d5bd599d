export interface IdempotencyRow {
  readonly callerId: string
  /** Route pattern with method. */
  readonly route: string
  /** Keyed hash of the Idempotency-Key header. */
  readonly keyHash: Buffer
}

export type IdempotencyState =
  | { readonly kind: 'begun' }
  | { readonly kind: 'in_progress' }
  | { readonly kind: 'done'; readonly fingerprint: Buffer; readonly resourceId: string }

export interface IdempotencyStore {
  /**
   * Claims the key until `leaseUntil`. A claim whose lease has passed, or an answer older than 24 h, is
   * taken over.
   */
  begin(row: IdempotencyRow, leaseUntil: Date): Promise<IdempotencyState>
  /** Prolongs a claim whose request is still at work; nothing happens to a completed one. */
  renew(row: IdempotencyRow, leaseUntil: Date): Promise<void>
  /** Keeps what the key stands for, in the transaction of the change. */
  complete(row: IdempotencyRow, fingerprint: Buffer, resourceId: string, at: Date): Promise<void>
  /** Gives back a claim that came to nothing. */
  abandon(row: IdempotencyRow): Promise<void>
}
