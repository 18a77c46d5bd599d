import { randomUUID } from 'node:crypto'
import { newGrant } from '../files/commit-upload.js'
import type { FileMetadata } from '../files/file-metadata.js'
import type { FileRow, GrantRow } from '../files/ports.js'
import type { SealedUpload } from '../files/seal-incoming.js'
import type { DocumentRow } from './ports.js'

interface NewDocument {
  readonly file: FileRow
  readonly metadata: FileMetadata
  readonly grants: readonly GrantRow[]
}

type Facts = Pick<
  DocumentRow,
  'fileId' | 'kind' | 'ownerId' | 'uploaderId' | 'recordTypeId' | 'spaceId'
>

/**
 * The file a document becomes: of a patient a record, for them and who uploaded it, never for a space; else a document
 * of its owner and a space.
 */
export function newDocument(row: Facts, sealed: SealedUpload, filename: string): NewDocument {
  const at = new Date()
  const { fileId, kind, ownerId, uploaderId, recordTypeId, spaceId } = row
  const isRecord = kind === 'record'
  const file: FileRow = {
    ...{ fileId, kind, ownerId, uploaderId, recordTypeId },
    recordId: isRecord ? randomUUID() : null,
    ...{ version: 1, createdAt: at, updatedAt: at, deletedAt: null, purgeAfter: null },
  }
  const metadata: FileMetadata = {
    ...{ file_id: fileId, version: 1, size: sealed.size, sha256: sealed.sha256.toString('hex') },
    ...{ owner_id: ownerId, patient_id: isRecord ? ownerId : null, uploader_id: uploaderId },
    ...{ content_type: sealed.contentType, record_type_id: recordTypeId, filename },
    ...{ label: null, notes: null },
  }
  const terms = { fileId, grantedBy: uploaderId, grantedAt: at }
  const grants = [newGrant({ ...terms, userId: ownerId, basis: 'own' })]
  if (isRecord && uploaderId !== ownerId) {
    grants.push(newGrant({ ...terms, userId: uploaderId, basis: 'assignment' }))
  }
  if (spaceId !== null) {
    grants.push(newGrant({ ...terms, userId: spaceId, basis: 'explicit', canShare: false }))
  }
  return { file, metadata, grants }
}
