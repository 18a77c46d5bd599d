import { randomFillSync } from 'node:crypto'
import { inspect } from 'node:util'
import { decodeBase64Url, encodeBase64Url } from './base64url.js'
import { CryptoError } from './crypto-error.js'

const keyLength = 32
const halfLength = 16

/**
 * A Fernet key: 16 bytes that sign, then 16 that encrypt (Fernet specification, "Key Format").
 * It cannot be printed, logged or put into JSON by accident. `destroy` overwrites it as well as a
 * process can: copies inside node's own cipher objects live until these are collected.
 */
export class FernetKey {
  readonly #bytes = Buffer.allocUnsafeSlow(keyLength)
  #destroyed = false

  private constructor(fill: (bytes: Buffer) => void) {
    fill(this.#bytes)
  }

  /** A new random key. */
  static generate(): FernetKey {
    return new FernetKey((bytes) => randomFillSync(bytes))
  }

  /**
   * Copies 32 bytes; the caller overwrites its own.
   * @throws CryptoError `malformed` for another length
   */
  static fromBytes(source: Uint8Array): FernetKey {
    if (source.length !== keyLength) throw new CryptoError('malformed')
    return new FernetKey((bytes) => {
      bytes.set(source)
    })
  }

  /**
   * Reads the 44 characters `exportText` gives.
   * @throws CryptoError `malformed`; it never holds the text
   */
  static fromText(text: string): FernetKey {
    const bytes = decodeBase64Url(text)
    try {
      return FernetKey.fromBytes(bytes)
    } finally {
      bytes.fill(0)
    }
  }

  /** The key as URL-safe padded base64, for wrapping and nothing else. */
  exportText(): string {
    return encodeBase64Url(this.#usable())
  }

  /** The bytes that sign: a view, never to be kept. */
  get signingKey(): Buffer {
    return this.#usable().subarray(0, halfLength)
  }

  /** The bytes that encrypt: a view, never to be kept. */
  get encryptionKey(): Buffer {
    return this.#usable().subarray(halfLength)
  }

  /** Overwrites the key; every later use throws. May be called again. */
  destroy(): void {
    this.#destroyed = true
    this.#bytes.fill(0)
  }

  toString(): string {
    return '[FernetKey]'
  }

  toJSON(): string {
    return '[FernetKey]'
  }

  [inspect.custom](): string {
    return '[FernetKey]'
  }

  #usable(): Buffer {
    if (this.#destroyed) throw new Error('This key has been destroyed')
    return this.#bytes
  }
}
