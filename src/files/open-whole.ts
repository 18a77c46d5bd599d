import type { BlobStore } from '../blobs/blob-store.js'
import { openRange } from '../crypto/open-stream.js'
import type { OpenedEntry } from './open-entry.js'

/** The data of an opened file from its first byte to its last, for what seals it anew: nobody is shown it. */
export type OpenWhole = (opened: OpenedEntry) => AsyncIterable<Buffer>

/**
 * A segment at a time, each authenticated before it is given out; the sealed bytes are closed however it ends.
 * Throws CryptoError where one does not open, `storage_unavailable`.
 */
export function openWhole({ blobs }: { readonly blobs: Pick<BlobStore, 'open'> }): OpenWhole {
  return async function* ({ entry, key, metadata }) {
    const { sealedId } = entry.version
    const sealedBytes = await blobs.open(sealedId)
    try {
      const { size: dataLength } = metadata
      yield* openRange({ key, sealedId, sealedBytes, dataLength, start: 0, end: dataLength })
    } finally {
      await sealedBytes.close()
    }
  }
}
