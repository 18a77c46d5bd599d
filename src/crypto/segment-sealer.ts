import { createHash } from 'node:crypto'
import { StrongroomError } from '../errors/strongroom-error.js'
import { spanLength, TokenSealer } from './fernet.js'
import type { FernetKey } from './fernet-key.js'
import { encodeHeader, encodeLabel, mostSegments, type SealedHeader } from './segment-format.js'

export interface SegmentSealerOptions extends SealedHeader {
  /** Drawn for this sealing alone; the caller destroys it afterwards. */
  readonly key: FernetKey
}

/**
 * Seals a file in one pass: bytes are hashed, encrypted and authenticated as they arrive.
 *
 * `update` and `final` give the sealed file in pieces, in order. Each piece is a new buffer that is
 * the caller's: the sealer never writes to it again, so it may be kept, queued or transferred. The
 * sealer does not keep what it is given either: input may be overwritten when `update` returns.
 *
 * A full segment is closed only when another byte arrives or the source ends, because only then it
 * is known whether it is the last.
 */
export class SegmentSealer {
  readonly #key: FernetKey
  readonly #header: SealedHeader
  readonly #segmentSize: number
  readonly #hash = createHash('sha256')
  #token: TokenSealer | undefined
  #index = 0
  /** Data bytes the open segment still takes. */
  #room = 0
  #size = 0
  #sha256: Buffer | undefined

  /** @throws RangeError for a segment size or a sealed id outside the format */
  constructor({ key, sealedId, segmentSizeLog2 }: SegmentSealerOptions) {
    this.#key = key
    this.#header = { sealedId, segmentSizeLog2 }
    this.#segmentSize = 2 ** segmentSizeLog2
    encodeHeader(this.#header)
  }

  /** Bytes of data taken so far. */
  get size(): number {
    return this.#size
  }

  /** SHA-256 of all data, 32 bytes; known after `final`. */
  get sha256(): Buffer {
    if (this.#sha256 === undefined) throw new Error('The sealing is not finished')
    return this.#sha256
  }

  /**
   * Seals the next bytes; what they complete is returned, often nothing for a few bytes.
   * @throws StrongroomError `file_too_large` past 2^32 segments
   */
  update(data: Uint8Array): Buffer[] {
    this.#refuseFinished()
    const pieces: Buffer[] = []
    for (let at = 0; at < data.length; ) {
      const token = this.#tokenWithRoom(pieces)
      const span = data.subarray(at, at + Math.min(this.#room, spanLength))
      at += span.length
      this.#room -= span.length
      this.#size += span.length
      this.#hash.update(span)
      const ciphertext = token.update(span)
      if (ciphertext.length > 0) pieces.push(ciphertext)
    }
    return pieces
  }

  /** Ends the file: closes its last segment. An empty file has one segment without data. */
  final(): Buffer[] {
    this.#refuseFinished()
    const pieces: Buffer[] = []
    const token = this.#token ?? this.#openSegment(pieces)
    pieces.push(this.#closeSegment(token, true))
    this.#token = undefined
    this.#sha256 = this.#hash.digest()
    return pieces
  }

  #tokenWithRoom(pieces: Buffer[]): TokenSealer {
    return this.#token !== undefined && this.#room > 0 ? this.#token : this.#openSegment(pieces)
  }

  /** Begins a segment after the end of the one before, or after the file's header. */
  #openSegment(pieces: Buffer[]): TokenSealer {
    const before =
      this.#token === undefined
        ? encodeHeader(this.#header)
        : this.#closeSegment(this.#token, false)
    const token = new TokenSealer(this.#key)
    pieces.push(Buffer.concat([before, token.head]))
    this.#token = token
    this.#room = this.#segmentSize
    return token
  }

  /** The label, encrypted, and the HMAC: the segment's end. */
  #closeSegment(token: TokenSealer, last: boolean): Buffer {
    const label = encodeLabel(this.#header, { index: this.#index, last })
    this.#index += 1
    if (!last && this.#index === mostSegments) throw new StrongroomError('file_too_large')
    return Buffer.concat([token.update(label), token.final()])
  }

  #refuseFinished(): void {
    if (this.#sha256 !== undefined) throw new Error('The sealing is finished')
  }
}
