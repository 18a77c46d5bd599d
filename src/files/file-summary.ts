import type { FileMetadata } from './file-metadata.js'
import type { FileRow, VersionRow } from './ports.js'

/** A file as its people see it: an entry of a list. */
export interface FileSummary {
  readonly file_id: string
  readonly filename: string
  readonly content_type: string
  readonly size: number
  readonly sha256: string
  readonly label: string | null
  readonly notes: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly version: number
}

export function summarize(
  file: Pick<FileRow, 'fileId' | 'createdAt' | 'updatedAt'>,
  metadata: FileMetadata,
): FileSummary {
  return {
    file_id: file.fileId,
    filename: metadata.filename,
    content_type: metadata.content_type,
    size: metadata.size,
    sha256: metadata.sha256,
    label: metadata.label,
    notes: metadata.notes,
    created_at: file.createdAt.toISOString(),
    updated_at: file.updatedAt.toISOString(),
    version: metadata.version,
  }
}

/** A version as the list of versions shows it. */
export function summarizeVersion(row: VersionRow, metadata: FileMetadata) {
  return {
    version: row.version,
    filename: metadata.filename,
    content_type: metadata.content_type,
    size: metadata.size,
    sha256: metadata.sha256,
    created_at: row.createdAt.toISOString(),
    created_by: row.createdBy,
  }
}

export type VersionSummary = ReturnType<typeof summarizeVersion>
