export interface UserKeyRow {
  readonly userId: string
  readonly version: number
  /** Wrapped by the key provider. */
  readonly wrapped: string
}

/** A key of the whole deployment: its use, and for a check value the master key it belongs to. */
export interface DeploymentKeyRow {
  readonly use: 'index-key' | 'check' | 'signing-key'
  readonly masterKeyId: string
  readonly wrapped: string
}

/** What may be known of the key that signs. */
export interface SigningKeyRow {
  readonly keyId: string
  /** PEM. */
  readonly publicKey: string
}

export interface KeyStore {
  /** The version that new wrappings use. */
  activeUserKey(userId: string): Promise<UserKeyRow | undefined>
  userKey(userId: string, version: number): Promise<UserKeyRow | undefined>
  /**
   * Makes the person known and stores their first key; false where they have one by now, or the master
   * key was retired.
   * @throws StrongroomError `person_erased` where their keys were destroyed
   */
  insertFirstUserKey(row: UserKeyRow, masterKeyId: string): Promise<boolean>
  deploymentKeys(): Promise<DeploymentKeyRow[]>
  /** False where there is one by now, or it is the check value of a master key that was retired. */
  insertDeploymentKey(row: DeploymentKeyRow): Promise<boolean>
  /** Stores the key that signs, and for good that there is one; false where there is one by now. */
  insertSigningKey(row: DeploymentKeyRow, publicKey: SigningKeyRow): Promise<boolean>
  /** The public half of the key that signs, also where the key itself was lost. */
  signingKey(): Promise<SigningKeyRow | undefined>
  /** Whether anything is sealed: a user key is the first thing that is. */
  hasSealedData(): Promise<boolean>
}
