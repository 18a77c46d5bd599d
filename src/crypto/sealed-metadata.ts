import { locating } from './crypto-error.js'
import { openToken, sealToken } from './fernet.js'
import type { FernetKey } from './fernet-key.js'
import { checkLabel, splitLabel } from './label.js'
import { encodeLabel } from './segment-format.js'

/**
 * Seals a file's metadata under its file key. It may be sealed again under the same key when a name
 * or label changes: the IV is new each time, and the row's history, not the format, says which is
 * newest (docs/FORMAT.md, "Sealed metadata").
 */
export function sealMetadata(
  key: FernetKey,
  sealedId: string,
  segmentSizeLog2: number,
  json: Uint8Array,
): Buffer {
  return sealToken(
    key,
    Buffer.concat([json, encodeLabel({ sealedId, segmentSizeLog2 }, 'metadata')]),
  )
}

/**
 * Opens the metadata of the sealed file asked for.
 * @throws CryptoError `malformed`, `unauthentic`, `padding` or `label`
 */
export function openMetadata(
  key: FernetKey,
  sealedId: string,
  segmentSizeLog2: number,
  token: Uint8Array,
): Buffer {
  const place = { sealedId, segment: 'metadata' } as const
  const plaintext = locating(place, () => openToken(key, token))
  const { data, label } = splitLabel([plaintext])
  checkLabel(label, encodeLabel({ sealedId, segmentSizeLog2 }, 'metadata'), place)
  return data[0] ?? Buffer.alloc(0)
}
