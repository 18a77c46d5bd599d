import { openEnvelope, signEnvelope } from '../crypto/signed-envelope.js'
import { type SigningKey, verifyingKey } from '../crypto/signing-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { isFileId } from '../files/file-id.js'
import type { Transactions } from '../ports/transactions.js'
import type { ErasureRow, ErasureStores } from './ports.js'

/** What a signature under a certificate says it is. */
export const CERTIFICATE_TYPE = 'application/vnd.strongroom.erasure-certificate+json'

/** What still has to happen before nothing of it can be opened by anyone, and whether it has. */
export type Condition =
  | { readonly condition: 'everything_destroyed_here'; readonly met: boolean }
  | { readonly condition: 'old_copies_in_database_removed'; readonly met: boolean }
  | {
      readonly condition: 'master_key_retired'
      readonly master_key: string
      readonly met: boolean
    }
  | {
      readonly condition: 'last_backup_expired'
      /** Null until everything is destroyed here: backups made until then may hold it. */
      readonly at: string | null
      readonly met: boolean
    }

export interface Certificate {
  readonly certificate: 'erasure'
  readonly format: 1
  readonly erasure_id: string
  /** The key that signs for the deployment. */
  readonly deployment: string
  readonly what: {
    readonly kind: ErasureRow['kind']
    readonly file_id: string | null
    readonly version: number | null
    readonly person_id: string | null
  }
  readonly requested_at: string
  readonly requested_by: string
  readonly finished_at: string | null
  readonly destroyed: {
    readonly user_keys: number
    readonly file_keys: number
    readonly files: number
    readonly versions: number
  }
  /** Records about the person that others could still open when it began. */
  readonly records_kept: number
  readonly complete_when: readonly Condition[]
  readonly state: 'pending' | 'complete'
  readonly issued_at: string
  readonly not_covered: readonly string[]
}

/** What no service can know or undo, whatever the state says. */
const notCovered = [
  'copies of the master key that were not destroyed when it was retired',
  'backups, replicas and archived logs that are kept longer than stated here',
  'what a storage device or file system keeps of files that were removed',
  'what people saved, printed or passed on while they were allowed to read it',
  'the audit log, which keeps ids and times',
]

/** Of a database server, others' or with other tables, beyond what a rewrite of ours reaches. */
const notCoveredOnServer = [
  'the log of the database server (pg_wal), until the server uses its segments again',
  'the planner statistics of the database server (pg_statistic), from before such columns were excepted',
]

interface Dependencies {
  readonly engine: 'embedded' | 'postgres'
  readonly db: Transactions<Pick<ErasureStores, 'erasures' | 'keys'>>
  readonly signingKey: SigningKey
}

/**
 * A signed statement of an erasure as it stands now; issued anew as often as it is asked for.
 * @throws StrongroomError `not_found`
 */
export function issueCertificate({ engine, db, signingKey }: Dependencies) {
  return async (erasureId: string): Promise<string> => {
    const row = isFileId(erasureId) ? await db.stores.erasures.find(erasureId) : undefined
    if (row === undefined) throw new StrongroomError('not_found')
    const inUse = (await db.stores.keys.deploymentKeys()).map(({ masterKeyId }) => masterKeyId)
    const said = describe(row, new Set(inUse), signingKey.keyId, new Date())
    const not_covered = engine === 'embedded' ? notCovered : [...notCovered, ...notCoveredOnServer]
    const certificate: Certificate = { ...said, not_covered }
    return signEnvelope(signingKey, CERTIFICATE_TYPE, JSON.stringify(certificate))
  }
}

/** A master key is retired where no key and no check value of the deployment is wrapped by it. */
function describe(
  row: ErasureRow,
  masterKeysInUse: ReadonlySet<string>,
  deployment: string,
  now: Date,
): Omit<Certificate, 'not_covered'> {
  const { backupsExpireAt, oldCopies } = row
  const conditions: Condition[] = [
    { condition: 'everything_destroyed_here', met: row.finishedAt !== null },
    { condition: 'old_copies_in_database_removed', met: oldCopies === 'removed' },
    ...row.masterKeyIds.map((id) => ({
      condition: 'master_key_retired' as const,
      master_key: id,
      met: !masterKeysInUse.has(id),
    })),
    {
      condition: 'last_backup_expired',
      at: backupsExpireAt?.toISOString() ?? null,
      met: backupsExpireAt !== null && backupsExpireAt <= now,
    },
  ]
  return {
    certificate: 'erasure',
    format: 1,
    erasure_id: row.erasureId,
    deployment,
    what: {
      kind: row.kind,
      file_id: row.fileId,
      version: row.version,
      person_id: row.personId,
    },
    requested_at: row.requestedAt.toISOString(),
    requested_by: row.requestedBy,
    finished_at: row.finishedAt?.toISOString() ?? null,
    destroyed: {
      user_keys: row.userKeys,
      file_keys: row.fileKeys,
      files: row.files,
      versions: row.versions,
    },
    records_kept: row.recordsKept,
    complete_when: conditions,
    state: conditions.every(({ met }) => met) ? 'complete' : 'pending',
    issued_at: now.toISOString(),
  }
}

/**
 * What a certificate says, where this key signed exactly these bytes; nothing where not. Needs no
 * service.
 * @param publicKey PEM
 */
export function verifyCertificate(written: string, publicKey: string): Certificate | undefined {
  const key = verifyingKey(publicKey)
  const text = key === undefined ? undefined : openEnvelope(key, CERTIFICATE_TYPE, written)
  return text === undefined ? undefined : (JSON.parse(text) as Certificate)
}
