import { timingSafeEqual } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import type { FernetKey } from '../crypto/fernet-key.js'
import { openMetadata, sealMetadata } from '../crypto/sealed-metadata.js'
import { sealedLength } from '../crypto/segment-format.js'
import type { FileRow, VersionRow } from './ports.js'

/** What is sealed beside a file: it, not the row, says what the file is and whose. */
export interface FileMetadata {
  readonly file_id: string
  readonly version: number
  /** Bytes. */
  readonly size: number
  /** 64 hexadecimal digits. */
  readonly sha256: string
  readonly owner_id: string
  readonly patient_id: string | null
  readonly uploader_id: string
  readonly content_type: string
  readonly record_type_id: string | null
  readonly filename: string
  readonly label: string | null
  readonly notes: string | null
}

export function sealFileMetadata(
  key: FernetKey,
  row: Pick<VersionRow, 'sealedId' | 'segmentSizeLog2'>,
  metadata: FileMetadata,
): Buffer {
  const json = Buffer.from(JSON.stringify(metadata))
  return sealMetadata(key, row.sealedId, row.segmentSizeLog2, json)
}

/**
 * Opens a file's metadata and compares it with the rows.
 * @throws CryptoError where they disagree: rows were moved, or are damaged
 */
export function openFileMetadata(key: FernetKey, file: FileRow, version: VersionRow): FileMetadata {
  const { sealedId, segmentSizeLog2 } = version
  const json = openMetadata(key, sealedId, segmentSizeLog2, version.metadata)
  // Authenticated under the file key: only this service wrote it.
  const metadata = JSON.parse(json.toString('utf8')) as FileMetadata
  const agrees =
    metadata.file_id === file.fileId &&
    metadata.version === version.version &&
    metadata.owner_id === file.ownerId &&
    metadata.uploader_id === version.createdBy &&
    metadata.patient_id === (file.kind === 'record' ? file.ownerId : null) &&
    metadata.record_type_id === file.recordTypeId &&
    metadata.content_type === version.contentType &&
    metadata.size === version.size &&
    sealedLength(metadata.size, segmentSizeLog2) === version.sealedLength
  if (!agrees) throw new CryptoError('label', { sealedId, segment: 'metadata' })
  return metadata
}

/** Whether these bytes are those the metadata tells of. */
export function isSameContent(metadata: FileMetadata, size: number, sha256: Buffer): boolean {
  return metadata.size === size && timingSafeEqual(Buffer.from(metadata.sha256, 'hex'), sha256)
}
