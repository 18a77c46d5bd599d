import { randomUUID } from 'node:crypto'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { FileKeyTerms, KeyRing } from '../keys/key-ring.js'
import { type FileMetadata, sealFileMetadata } from './file-metadata.js'
import type { FileRow, FileStore, GrantRow, VersionRow, WrappedKeyRow } from './ports.js'
import type { SealedUpload } from './seal-incoming.js'

/** Rows of a version about to be committed. */
export interface VersionRows {
  readonly version: VersionRow
  readonly wrappedKeys: readonly WrappedKeyRow[]
}

/** The rows of a sealed upload as one version of `file`, its key wrapped for everyone in `grants`. */
export async function versionRows(
  keyRing: Pick<KeyRing, 'wrapFileKey'>,
  sealed: SealedUpload,
  facts: {
    readonly file: Pick<FileRow, 'fileId'>
    readonly createdBy: string
    readonly createdAt: Date
    readonly metadata: FileMetadata
    readonly grants: readonly (FileKeyTerms & Pick<GrantRow, 'grantId'>)[]
  },
): Promise<VersionRows> {
  const { sealedId, sealedLength, segmentSizeLog2, contentType, size } = sealed
  const wrappedKeys: WrappedKeyRow[] = []
  for (const grant of facts.grants) {
    const wrapped = await keyRing.wrapFileKey(sealed.key, sealedId, grant)
    wrappedKeys.push({ sealedId, grantId: grant.grantId, ...wrapped })
  }
  const version: VersionRow = {
    fileId: facts.file.fileId,
    version: facts.metadata.version,
    sealedId,
    sealedLength,
    segmentSizeLog2,
    contentType,
    size,
    metadata: sealFileMetadata(sealed.key, sealed, facts.metadata),
    createdBy: facts.createdBy,
    createdAt: facts.createdAt,
  }
  return { version, wrappedKeys }
}

/** Inserts a version and its wrapped keys; the bytes' intent has served. */
export async function insertVersionRows(
  files: FileStore,
  sealed: Pick<SealedUpload, 'sealedId' | 'hasIntent'>,
  rows: VersionRows,
): Promise<void> {
  await files.insertVersion(rows.version)
  for (const wrapped of rows.wrappedKeys) await files.insertWrappedKey(wrapped)
  if (sealed.hasIntent) await files.removeIntent(sealed.sealedId)
}

/** A new grant on a file, with nothing said of sharing purposes. */
export function newGrant(
  facts: Pick<GrantRow, 'fileId' | 'userId' | 'basis' | 'grantedBy' | 'grantedAt'> &
    Partial<Pick<GrantRow, 'canDownload' | 'canShare' | 'expiresAt'>>,
): GrantRow {
  return {
    grantId: randomUUID(),
    canDownload: true,
    canShare: true,
    expiresAt: null,
    purpose: null,
    ...facts,
  }
}

/**
 * Runs the commit of a sealed upload and overwrites its key. Where `commit` fails the bytes are
 * discarded, unless it is not known whether the rows are there: then they stay for the sweeper.
 */
export async function committing<T>(sealed: SealedUpload, commit: () => Promise<T>): Promise<T> {
  try {
    return await commit()
  } catch (error) {
    if (!isStrongroomError(error, 'commit_unknown')) await sealed.discard()
    throw error
  } finally {
    sealed.close()
  }
}
