import type { BlobStore } from '../blobs/blob-store.js'
import { openEntry } from '../files/open-entry.js'
import type { FileEntry, HeldGrant } from '../files/ports.js'
import { type DamagedPlace, damageOf } from '../files/scrub.js'
import type { KeyProvider } from '../keys/key-provider.js'
import { keyRing } from '../keys/key-ring.js'
import { rowsThatStayShut } from './check-rows.js'
import type { KeptRow } from './ports.js'
import type { Sample, SampledFile, SampledRows } from './sample-files.js'

export interface DrillReport {
  /** Versions of files opened from end to end, or tried, and the bytes of content they gave. */
  readonly files: number
  readonly bytes: number
  readonly damaged_files: number
  readonly damaged: readonly DamagedPlace[]
  /** Check values and index key that the keys of the backup do not open. */
  readonly keys_that_do_not_fit: readonly Pick<KeptRow, 'use' | 'master_key_id'>[]
}

interface Dependencies {
  /** Of the restored keys, and no others. */
  readonly provider: KeyProvider
  readonly blobs: Pick<BlobStore, 'open'>
}

interface Context {
  readonly signal?: AbortSignal
  readonly progress?: (done: number, total: number) => void
}

/** Opens every sampled file from its first byte to its last; nothing is kept or given out. */
export async function openSample(
  { provider, blobs }: Dependencies,
  sample: Sample,
  { signal, progress }: Context = {},
): Promise<DrillReport> {
  const shut = await rowsThatStayShut(provider, sample.deployment_keys)
  const damaged: DamagedPlace[] = []
  const counts = { files: 0, bytes: 0, damaged_files: 0 }
  for (const sampled of sample.files) {
    signal?.throwIfAborted()
    const found = await damageIn({ provider, blobs }, sampled, (bytes) => {
      counts.bytes += bytes
      signal?.throwIfAborted()
    })
    counts.files += 1
    counts.damaged_files += found.length > 0 ? 1 : 0
    damaged.push(...found)
    progress?.(counts.files, sample.files.length)
  }
  const keys_that_do_not_fit = shut.map(({ use, master_key_id }) => ({ use, master_key_id }))
  return { ...counts, damaged, keys_that_do_not_fit }
}

async function damageIn(
  { provider, blobs }: Dependencies,
  sampled: SampledFile,
  took: (bytes: number) => void,
): Promise<DamagedPlace[]> {
  const { rows, ...facts } = sampled
  if (rows === null) return [{ ...facts, segment: null, reason: 'no_key' }]
  const ring = keyRing({
    forOpening: async (userId, version) => {
      const claims = { use: 'user-key', user: userId, version } as const
      return { userId, version, key: await provider.unwrap(rows.user_key, claims) }
    },
    forWrapping: () => Promise.reject(new Error('A drill wraps nothing')),
  })
  const use = { blobs, openEntry: openEntry({ keyRing: ring }) }
  return await damageOf(use, entryOf(sampled, rows), (bytes) => {
    took(bytes)
    return Promise.resolve()
  })
}

/** Times and purposes play no part in opening. */
const at = new Date(0)

function entryOf({ file_id, version, sealed_id }: SampledFile, rows: SampledRows): FileEntry {
  const { file, stored } = rows
  return {
    file: {
      ...{ fileId: file_id, kind: file.kind, ownerId: file.owner_id, uploaderId: file.uploader_id },
      ...{ recordId: file.record_id, recordTypeId: file.record_type_id },
      ...{ version: file.current_version, createdAt: at, updatedAt: at },
      ...{ deletedAt: null, purgeAfter: null },
    },
    version: {
      ...{ fileId: file_id, version, sealedId: sealed_id, sealedLength: stored.sealed_length },
      ...{ segmentSizeLog2: stored.segment_size_log2, contentType: stored.content_type },
      ...{ size: stored.size, metadata: Buffer.from(stored.metadata, 'base64') },
      ...{ createdBy: stored.created_by, createdAt: at },
    },
    held: [grantOf(file_id, rows)],
  }
}

function grantOf(fileId: string, { file, grant }: SampledRows): HeldGrant {
  return {
    ...{ grantId: grant.grant_id, fileId, userId: file.owner_id, basis: 'own' },
    ...{ canDownload: true, canShare: true, purpose: null },
    expiresAt: grant.expires_at === null ? null : new Date(grant.expires_at),
    ...{ grantedBy: file.owner_id, grantedAt: at },
    key: { userKeyVersion: grant.user_key_version, wrapped: grant.wrapped },
  }
}
