/** A text sealed under a person's, or a space's, key. */
export interface StoredNote {
  readonly noteId: string
  readonly sealed: string
  readonly userKeyVersion: number
}

export interface AccountRow {
  /** The id by which this person is known everywhere else, too. */
  readonly userId: string
  readonly note: StoredNote
  /** Tokens of an earlier one have ended. */
  readonly tokenEpoch: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly lastLoginAt: Date | null
}

export interface NewAccount {
  readonly userId: string
  readonly emailHash: Buffer
  readonly note: StoredNote
  readonly createdAt: Date
}

export interface AccountChange {
  readonly userId: string
  /** The note that was read: a change made meanwhile is not undone. */
  readonly was: string
  readonly note: StoredNote
  readonly emailHash: Buffer
  /** All tokens end. */
  readonly endsTokens: boolean
  readonly at: Date
}

export interface AccountCursor {
  readonly at: Date
  /** The UUID that the person's id ends in. */
  readonly id: string
}

export interface AccountStore {
  /** False: an account of this e-mail is there. */
  insert(account: NewAccount): Promise<boolean>
  find(userId: string): Promise<AccountRow | undefined>
  findByEmail(emailHash: Buffer): Promise<AccountRow | undefined>
  /** Undefined where the account is gone, or that token has ended. */
  findForToken(userId: string, tokenId: string): Promise<AccountRow | undefined>
  /** Newest first. */
  list(page: {
    readonly limit: number
    readonly after: AccountCursor | undefined
  }): Promise<AccountRow[]>
  /** `changed`: somebody else changed it meanwhile. */
  change(change: AccountChange): Promise<'done' | 'changed' | 'email_taken'>
  noteLogin(userId: string, at: Date): Promise<void>
  endTokens(userId: string): Promise<void>
  endToken(tokenId: string, expiresAt: Date): Promise<void>
  /** False: this code, or a later one, was used before. */
  useTotpStep(userId: string, step: number): Promise<boolean>
}

/** What was tried from where, so that guessing takes for ever. */
export interface LoginAttemptStore {
  /** Counts one more for each key; failures within the window, this one included. */
  count(
    keys: readonly string[],
    window: { readonly from: Date; readonly at: Date },
  ): Promise<{ readonly key: string; readonly failures: number; readonly since: Date }[]>
  /** Whether somebody was logged in there before. */
  isKnown(networkKey: string): Promise<boolean>
  /** It was no failure: forgets `forgotten`, and takes one back from `lessened`. */
  pardon(counts: {
    readonly forgotten: readonly string[]
    readonly lessened: readonly string[]
  }): Promise<void>
  /** Somebody was logged in there. */
  remember(networkKey: string, at: Date): Promise<void>
  /** Removes attempts, ended tokens and networks that are of no more use. */
  tidy(now: Date): Promise<void>
}
