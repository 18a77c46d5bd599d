import type { FileMetadata } from '../files/file-metadata.js'
import { type FileSummary, summarize } from '../files/file-summary.js'
import type { FileRow, GrantRow } from '../files/ports.js'

/** A medical record as its people see it. */
export interface RecordSummary extends FileSummary {
  readonly record_id: string
  readonly patient_id: string
  readonly medical_record_type_id: string
  readonly uploader_id: string
}

export function summarizeRecord(file: FileRow, metadata: FileMetadata): RecordSummary {
  return {
    record_id: file.recordId ?? '',
    patient_id: file.ownerId,
    medical_record_type_id: file.recordTypeId ?? '',
    uploader_id: file.uploaderId,
    ...summarize(file, metadata),
  }
}

export interface GrantSummary {
  readonly user_id: string
  readonly basis: string
  readonly can_download: boolean
  readonly can_share: boolean
  readonly expires_at: string | null
  readonly purpose: string | null
  readonly granted_by: string
  readonly granted_at: string
}

/** A grant with its purpose, where it has one, opened. */
export function summarizeGrant(grant: GrantRow, purpose: string | null): GrantSummary {
  return {
    user_id: grant.userId,
    basis: grant.basis,
    can_download: grant.canDownload,
    can_share: grant.canShare,
    expires_at: grant.expiresAt?.toISOString() ?? null,
    purpose,
    granted_by: grant.grantedBy,
    granted_at: grant.grantedAt.toISOString(),
  }
}
