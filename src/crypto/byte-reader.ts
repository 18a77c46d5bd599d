import { CryptoError, type SealedPlace } from './crypto-error.js'

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
   * The next bytes as they lie: at least one, at most `most`.
   * @throws CryptoError `cut` if there are none
   */
  async some(most: number, place: SealedPlace): Promise<Uint8Array> {
    if (!(await this.#fill())) throw new CryptoError('cut', place)
    const bytes = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(most)
    return bytes
  }

  /** Exactly `length` bytes, in one piece. */
  async take(length: number, place: SealedPlace): Promise<Uint8Array> {
    const first = await this.some(length, place)
    if (first.length === length) return first
    const bytes = new Uint8Array(length)
    bytes.set(first)
    for (let at = first.length; at < length; ) {
      const more = await this.some(length - at, place)
      bytes.set(more, at)
      at += more.length
    }
    return bytes
  }

  /** @throws CryptoError `trailing` if there are bytes left */
  async end(place: SealedPlace): Promise<void> {
    if (await this.#fill()) throw new CryptoError('trailing', place)
  }

  /** Closes the source, wherever it stands. What that throws comes too late to matter. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#iterator.return?.()])
  }

  /** Whether there is a byte. */
  async #fill(): Promise<boolean> {
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
