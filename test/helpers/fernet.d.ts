/** The npm package `fernet`, an oracle in tests: it has no types of its own. */
declare module 'fernet' {
  export class Secret {
    constructor(secret64: string)
    readonly signingKeyHex: string
  }
  export class Token {
    constructor(options: {
      secret: Secret
      token?: string
      ttl?: number
      time?: string
      iv?: readonly number[]
    })
    encode(message: string): string
    decode(): string
  }
  const fernet: { Secret: typeof Secret; Token: typeof Token }
  export default fernet
}
