import { createHash } from 'node:crypto'
import type { FileEntry, FileKind, StoredVersion } from '../files/ports.js'
import type { BackupStores, KeptRow } from './ports.js'
import { uuidOf } from './shares.js'

type Stores = Pick<BackupStores, 'keys' | 'sweep' | 'files'>

/** All it takes to open one version of a file with the master keys: nothing of it is secret. */
export interface SampledFile {
  readonly file_id: string
  readonly version: number
  readonly sealed_id: string
  /** Rows as the database has them; nothing where the file was purged meanwhile or has no grant. */
  readonly rows: SampledRows | null
}

export interface SampledRows {
  readonly file: {
    readonly kind: FileKind
    readonly owner_id: string
    readonly uploader_id: string
    readonly record_id: string | null
    readonly record_type_id: string | null
    readonly current_version: number
  }
  readonly stored: {
    readonly sealed_length: number
    readonly segment_size_log2: number
    readonly content_type: string
    readonly size: number
    /** A raw token in base64. */
    readonly metadata: string
    readonly created_by: string
  }
  /** The owner's own grant. */
  readonly grant: {
    readonly grant_id: string
    readonly expires_at: string | null
    readonly user_key_version: number
    readonly wrapped: string
  }
  readonly user_key: string
}

export interface Sample {
  readonly deployment_keys: readonly KeptRow[]
  readonly files: readonly SampledFile[]
}

export interface SampleOptions {
  readonly files: number
  /** The same seed picks the same files as long as they are the same. */
  readonly seed: string
}

/** The rows of `deployment_keys`, in the words of the file format. */
export async function keptRows({ keys }: Pick<BackupStores, 'keys'>): Promise<KeptRow[]> {
  const rows = await keys.deploymentKeys()
  return rows.map(({ use, masterKeyId, wrapped }) => ({ use, master_key_id: masterKeyId, wrapped }))
}

/** Picks file versions at random and reads the rows that belong to them. */
export async function sampleFiles(
  { stores }: { readonly stores: Stores },
  options: SampleOptions,
  {
    signal,
    picked,
  }: { readonly signal?: AbortSignal; readonly picked?: (done: number) => void } = {},
): Promise<Sample> {
  const files: SampledFile[] = []
  for (const version of await pick(stores, options)) {
    signal?.throwIfAborted()
    // Others may still open it, but nobody with the key of its owner: that was destroyed.
    if (await stores.files.isOwnerErased(version.fileId)) continue
    files.push(await sampled(stores, version))
    picked?.(files.length)
  }
  return { deployment_keys: await keptRows(stores), files }
}

/** Sealed ids are random: the one after a random place in their order is a random one. */
async function pick({ sweep }: Stores, { files, seed }: SampleOptions): Promise<StoredVersion[]> {
  const few = await sweep.versionsAfter(undefined, files + 1)
  if (few.length <= files) return few
  const picks = new Map<string, StoredVersion>()
  const next = async (after: string) =>
    (await sweep.versionsAfter(after, 1))[0] ?? (await sweep.versionsAfter(undefined, 1))[0]
  for (let n = 0; n < files; n += 1) {
    let found = await next(placeOf(seed, n))
    // There are more than are asked for: one of those that follow was not picked yet.
    while (found !== undefined && picks.has(found.sealedId)) found = await next(found.sealedId)
    if (found !== undefined) picks.set(found.sealedId, found)
  }
  return [...picks.values()]
}

function placeOf(seed: string, n: number): string {
  return uuidOf(createHash('sha256').update(`${n} ${seed}`).digest().subarray(0, 16))
}

async function sampled({ files, keys }: Stores, version: StoredVersion): Promise<SampledFile> {
  const { fileId: file_id, sealedId: sealed_id } = version
  const facts = { file_id, version: version.version, sealed_id }
  const file = await files.find(file_id)
  const entry =
    file === undefined ? undefined : await files.storedEntry(file_id, file.ownerId, version.version)
  if (entry === undefined) return { ...facts, rows: null }
  return { ...facts, rows: await rowsOf(entry, keys) }
}

async function rowsOf(
  { file, version, held }: FileEntry,
  keys: Stores['keys'],
): Promise<SampledRows | null> {
  const grant = held.find(({ basis }) => basis === 'own')
  if (grant === undefined) return null
  const { userKeyVersion, wrapped } = grant.key
  const userKey = await keys.userKey(file.ownerId, userKeyVersion)
  if (userKey === undefined) return null
  return {
    file: {
      ...{ kind: file.kind, owner_id: file.ownerId, uploader_id: file.uploaderId },
      ...{ record_id: file.recordId, record_type_id: file.recordTypeId },
      current_version: file.version,
    },
    stored: {
      ...{ sealed_length: version.sealedLength, segment_size_log2: version.segmentSizeLog2 },
      ...{ content_type: version.contentType, size: version.size },
      ...{ metadata: version.metadata.toString('base64'), created_by: version.createdBy },
    },
    grant: {
      ...{ grant_id: grant.grantId, user_key_version: userKeyVersion, wrapped },
      expires_at: grant.expiresAt?.toISOString() ?? null,
    },
    user_key: userKey.wrapped,
  }
}
