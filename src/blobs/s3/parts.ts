import type { PartBuffers } from './part-buffers.js'

export interface Part {
  /** Lent: to be given back once it is sent. */
  readonly buffer: Buffer
  readonly bytes: Buffer
  readonly isLast: boolean
}

/**
 * Gathers chunks of any size into parts, all but the last of the buffers' size. A chunk is copied at
 * once; the next one is asked for when there is room for it. Of no bytes at all one empty part is made.
 */
export async function* inParts(
  source: AsyncIterable<Uint8Array>,
  buffers: PartBuffers,
): AsyncGenerator<Part, void> {
  let buffer = buffers.lend()
  let filled = 0
  try {
    for await (const chunk of source) {
      for (let taken = 0; taken < chunk.length; ) {
        if (filled === buffer.length) {
          yield { buffer, bytes: buffer, isLast: false }
          buffer = buffers.lend()
          filled = 0
        }
        const piece = chunk.subarray(taken, taken + buffer.length - filled)
        buffer.set(piece, filled)
        filled += piece.length
        taken += piece.length
      }
    }
  } catch (error) {
    buffers.giveBack(buffer)
    throw error
  }
  yield { buffer, bytes: buffer.subarray(0, filled), isLast: true }
}
