import { CryptoError, type SealedPlace } from './crypto-error.js'

/** Chunks below this are gathered. */
const leastLength = 4096

/**
 * Takes exact numbers of bytes from chunks of any size. The chunk after the one in use is already
 * asked for, so storage reads while the processor opens.
 */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array, unknown>
  #next: Promise<IteratorResult<Uint8Array, unknown>>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown>
    this.#next = this.#ask()
  }

  /**
   * The next bytes: at most `most`, and no fewer than 4 KiB if that many are wanted. Larger chunks
   * are not copied; smaller ones are gathered, so that a store that dribbles costs no more memory.
   * @throws CryptoError `cut` if they are not there
   */
  async some(most: number, place: SealedPlace): Promise<Uint8Array> {
    if (this.#rest.length === 0) await this.#fill(place)
    const least = Math.min(most, leastLength)
    return this.#rest.length < least ? this.take(least, place) : this.#cut(most)
  }

  /**
   * Exactly `length` bytes, in one piece.
   * @throws CryptoError `cut` if they are not there
   */
  async take(length: number, place: SealedPlace): Promise<Uint8Array> {
    if (this.#rest.length >= length) return this.#cut(length)
    const bytes = Buffer.allocUnsafe(length)
    for (let at = 0; at < length; ) {
      if (this.#rest.length === 0) await this.#fill(place)
      const part = this.#cut(length - at)
      bytes.set(part, at)
      at += part.length
    }
    return bytes
  }

  /** @throws CryptoError `trailing` if there are bytes left */
  async end(place: SealedPlace): Promise<void> {
    if (await this.#advance()) throw new CryptoError('trailing', place)
  }

  /** Closes the source, wherever it stands. What that throws comes too late to matter. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#iterator.return?.()])
  }

  /** At most `most` of the bytes at hand. */
  #cut(most: number): Uint8Array {
    const bytes = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(most)
    return bytes
  }

  async #fill(place: SealedPlace): Promise<void> {
    if (!(await this.#advance())) throw new CryptoError('cut', place)
  }

  /** Goes on to the next chunk that is not empty, if none is at hand. False at the end. */
  async #advance(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#next
      if (done === true) return false
      this.#rest = value
      this.#next = this.#ask()
    }
    return true
  }

  #ask(): Promise<IteratorResult<Uint8Array, unknown>> {
    const next = this.#iterator.next()
    // Whoever awaits it hears of a failure; if no one does any more, it is not unhandled.
    next.catch(() => undefined)
    return next
  }
}
