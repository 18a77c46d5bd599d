import type { FileMetadata } from '../files/file-metadata.js'
import type { DocumentRow } from './ports.js'

/** A document as the calls of family C show it. */
export interface DocumentSummary {
  readonly id: string
  readonly key: string
  readonly patientId: string | null
  readonly filename: string
  readonly contentType: string
  /** Bytes. */
  readonly size: number
  readonly sha256: string
  readonly uploadedBy: string
  readonly createdAt: string
}

export function summarizeDocument(
  row: Pick<DocumentRow, 'fileId' | 'key' | 'createdAt'>,
  metadata: FileMetadata,
): DocumentSummary {
  return {
    id: row.fileId,
    key: row.key,
    patientId: metadata.patient_id,
    filename: metadata.filename,
    contentType: metadata.content_type,
    size: metadata.size,
    sha256: metadata.sha256,
    uploadedBy: metadata.uploader_id,
    createdAt: row.createdAt.toISOString(),
  }
}
