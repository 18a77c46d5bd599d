import { spanLength } from './fernet.js'
import type { SegmentSealer } from './segment-sealer.js'

/**
 * The sealed file of everything `source` gives. Backpressure is the consumer's: nothing is read
 * ahead. When the consumer stops early, or `source` fails, `source` is closed and no last segment
 * is written. Pieces are new buffers of at most 64 KiB and belong to the consumer.
 */
export async function* sealStream(
  source: AsyncIterable<Uint8Array>,
  sealer: SegmentSealer,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += spanLength) {
      yield* sealer.update(chunk.subarray(at, at + spanLength))
    }
  }
  yield* sealer.final()
}
