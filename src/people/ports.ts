/** RFC 7518 section 3.1 and RFC 8037: those that tokens may be signed by here. */
export type SignatureAlgorithm = 'HS256' | `${'RS' | 'PS' | 'ES'}${256 | 384 | 512}` | 'EdDSA'

/** What a token is verified with. */
export interface VerificationKey {
  /** A shared secret, or a public key in PEM. */
  readonly key: string
  /** Those of the key's own kind alone: else a public key would pass for a shared secret (RFC 8725 3.1). */
  readonly algorithms: readonly SignatureAlgorithm[]
}

/** The keys an OpenID provider signs with. */
export interface ProviderKeys {
  /**
   * The key of that name, where it is for `algorithm`; without a name, where there is one such key alone.
   * Undefined: the provider has none.
   * @throws StrongroomError `identity_unavailable` where the provider has to be asked and cannot be
   */
  find(kid: string | undefined, algorithm: string): Promise<VerificationKey | undefined>
  close(): Promise<void>
}

/** What an OpenID provider gives for a refresh token (RFC 6749 section 5.1). */
export interface RefreshedTokens {
  readonly accessToken: string
  /** Absent: the one that was given goes on. */
  readonly refreshToken: string | undefined
  /** Seconds; absent: not said. */
  readonly expiresIn: number | undefined
}

/** Keeps a browser's session going at the OpenID provider. */
export interface SessionRefresh {
  /**
   * Undefined: the provider takes that token no longer. Who brings the same token within half a minute
   * shares the answer, since most providers take each token once.
   * @throws StrongroomError `identity_unavailable`
   */
  exchange(refreshToken: string): Promise<RefreshedTokens | undefined>
}
