import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { decodeBase64Url, encodeBase64Url } from './base64url.js'
import { CryptoError } from './crypto-error.js'
import type { FernetKey } from './fernet-key.js'

/*
 * A token (Fernet specification, "Token Format"), in raw bytes:
 * version 0x80 | seconds since 1970, 8 bytes BE | IV 16 | AES-128-CBC, PKCS#7 | HMAC-SHA256 32
 */
const version = 0x80
const secondsOffset = 1
const ivOffset = 9
export const tokenHeadLength = 25
export const tokenMacLength = 32
const blockLength = 16

/** Bytes hashed, enciphered and authenticated at a time, while they are in the processor's cache. */
export const spanLength = 65536

export interface TokenOptions {
  /** 16 bytes; random if not given, as it must be for every real token. */
  readonly iv?: Uint8Array
  /** Whole seconds since 1970; now if not given. Written, never checked. */
  readonly seconds?: number
}

/** Length of the ciphertext of `length` bytes: PKCS#7 always adds 1 to 16. */
export function ciphertextLength(length: number): number {
  return (Math.floor(length / blockLength) + 1) * blockLength
}

/** Length of the token that holds `length` bytes of plaintext. */
export function tokenLength(length: number): number {
  return tokenHeadLength + ciphertextLength(length) + tokenMacLength
}

/** Seals one token piece by piece: `head`, what each `update` gives, then what `final` gives. */
export class TokenSealer {
  readonly head: Buffer
  readonly #cipher
  readonly #hmac

  constructor(key: FernetKey, { iv = randomBytes(16), seconds = now() }: TokenOptions = {}) {
    this.head = Buffer.allocUnsafe(tokenHeadLength)
    this.head[0] = version
    this.head.writeBigUInt64BE(BigInt(seconds), secondsOffset)
    this.head.set(iv, ivOffset)
    this.#cipher = createCipheriv('aes-128-cbc', key.encryptionKey, iv)
    this.#hmac = createHmac('sha256', key.signingKey).update(this.head)
  }

  /** The ciphertext that is complete so far: a new buffer, often empty for short input. */
  update(plaintext: Uint8Array): Buffer {
    const ciphertext = this.#cipher.update(plaintext)
    this.#hmac.update(ciphertext)
    return ciphertext
  }

  /** The rest of the ciphertext, and the HMAC. */
  final(): Buffer {
    const ciphertext = this.#cipher.final()
    return Buffer.concat([ciphertext, this.#hmac.update(ciphertext).digest()])
  }
}

/**
 * Opens one token piece by piece. It keeps the ciphertext, unread, until `final` has compared the
 * HMAC: a piece handed to `update` must not be overwritten before that.
 */
export class TokenOpener {
  readonly #key: FernetKey
  readonly #iv: Uint8Array
  readonly #hmac
  readonly #ciphertext: Uint8Array[] = []

  /**
   * @param head the token's first 25 bytes
   * @throws CryptoError `malformed`
   */
  constructor(key: FernetKey, head: Uint8Array) {
    if (head.length !== tokenHeadLength || head[0] !== version) throw new CryptoError('malformed')
    this.#key = key
    this.#iv = head.subarray(ivOffset)
    this.#hmac = createHmac('sha256', key.signingKey).update(head)
  }

  update(ciphertext: Uint8Array): void {
    this.#hmac.update(ciphertext)
    this.#ciphertext.push(ciphertext)
  }

  /**
   * The plaintext, in new buffers.
   * @param mac the token's last 32 bytes
   * @throws CryptoError `malformed`, `unauthentic` or, only where the HMAC fits, `padding`
   */
  final(mac: Uint8Array): Buffer[] {
    if (mac.length !== tokenMacLength) throw new CryptoError('malformed')
    if (!timingSafeEqual(this.#hmac.digest(), mac)) throw new CryptoError('unauthentic')
    return this.#decrypt()
  }

  #decrypt(): Buffer[] {
    const decipher = createDecipheriv('aes-128-cbc', this.#key.encryptionKey, this.#iv)
    const plaintext = this.#ciphertext.map((piece) => decipher.update(piece))
    return [...plaintext, strictFinal(decipher)]
  }
}

/** Seals `plaintext` as one token of raw bytes. */
export function sealToken(
  key: FernetKey,
  plaintext: Uint8Array,
  options: TokenOptions = {},
): Buffer {
  const token = new TokenSealer(key, options)
  return Buffer.concat([token.head, token.update(plaintext), token.final()])
}

/**
 * Opens one token of raw bytes. Its time is never checked.
 * @throws CryptoError `malformed` (no token at all), `unauthentic` (another key, or changed bytes)
 *   or `padding` (the HMAC fits: another encryption half)
 */
export function openToken(key: FernetKey, token: Uint8Array): Buffer {
  const macOffset = token.length - tokenMacLength
  const length = macOffset - tokenHeadLength
  if (length < blockLength || length % blockLength !== 0) throw new CryptoError('malformed')
  const opener = new TokenOpener(key, token.subarray(0, tokenHeadLength))
  opener.update(token.subarray(tokenHeadLength, macOffset))
  return Buffer.concat(opener.final(token.subarray(macOffset)))
}

/** Seals `plaintext` as a token in URL-safe padded base64: the form of the specification. */
export function sealText(key: FernetKey, plaintext: Uint8Array): string {
  return encodeBase64Url(sealToken(key, plaintext))
}

/**
 * Opens what `sealText` gives; base64 that is not canonical is `malformed`.
 * @throws CryptoError as `openToken`
 */
export function openText(key: FernetKey, text: string): Buffer {
  return openToken(key, decodeBase64Url(text))
}

/** OpenSSL compares every byte of the padding. A last block that is not whole fails as well. */
function strictFinal(decipher: { final(): Buffer }): Buffer {
  try {
    return decipher.final()
  } catch {
    throw new CryptoError('padding')
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}
