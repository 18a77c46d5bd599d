import { type Static, Type } from 'typebox'
import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../audit/system-actor.js'
import type { BackupStores, KeptRow } from '../backup/ports.js'
import { lostRows, putBack } from '../backup/put-back.js'
import { keptRows, type Sample, sampleFiles } from '../backup/sample-files.js'
import type { Transactions } from '../ports/transactions.js'
import type { OperationContext } from './operation.js'

const strict = { additionalProperties: false }
const backupId = Type.String({ pattern: '^[0-9a-f-]{36}$' })
const text = Type.String({ minLength: 1, maxLength: 8192 })
const rows = Type.Array(Type.Object({ use: text, master_key_id: text, wrapped: text }, strict), {
  maxItems: 200,
})

const backedUp = Type.Object({ backup_id: backupId }, strict)
const restored = Type.Object({ backup_id: backupId, rows }, strict)
const puttingBack = Type.Object(
  {
    backup_id: backupId,
    rows,
    signing_key: Type.Optional(
      Type.Object({ key_id: text, public_key: text, wrapped: text }, strict),
    ),
  },
  strict,
)
const sampling = Type.Object(
  {
    files: Type.Integer({ minimum: 1, maximum: 10_000 }),
    seed: Type.String({ minLength: 1, maxLength: 64 }),
  },
  strict,
)
const drilled = Type.Object(
  {
    backup_id: backupId,
    files: Type.Integer({ minimum: 0, maximum: 10_000 }),
    outcome: Type.Union([Type.Literal('success'), Type.Literal('failed')]),
  },
  strict,
)

/** What a database knows of its keys beside a backup. */
export interface ComparedKeys {
  readonly rows: readonly KeptRow[]
  /** Rows of the backup that the database lost and needs. */
  readonly lost: readonly KeptRow[]
  /** Of the key that signs, by its public half. */
  readonly signing_key_id: string | null
  /** A few people's keys, wrapped: whether a backup belongs to this database. */
  readonly user_keys: readonly {
    readonly user: string
    readonly version: number
    readonly wrapped: string
  }[]
}

const FEW = 20

export interface BackupDependencies {
  readonly db: Transactions<BackupStores>
}

/**
 * What backups, restores and drills ask of the database. Everything here is wrapped or a number: master
 * keys, passphrases and shares stay in the process of the command.
 */
export function backupOperations({ db }: BackupDependencies) {
  const note = async (
    { audit }: Pick<BackupStores, 'audit'>,
    facts: Omit<Parameters<typeof auditEvent>[1], 'outcome'> & { outcome?: 'failed' | 'success' },
  ) => {
    await audit.append(auditEvent(systemActor('backup'), { outcome: 'success', ...facts }))
  }
  return {
    'keys-backup-rows': {
      input: backedUp,
      run: async ({ backup_id: subjectId }: Static<typeof backedUp>): Promise<KeptRow[]> =>
        await db.transaction(async (stores) => {
          await note(stores, { action: 'keys.backup', subjectId })
          return await keptRows(stores)
        }),
    },
    'keys-restore-rows': {
      input: restored,
      run: async (input: Static<typeof restored>): Promise<ComparedKeys> =>
        await db.transaction(async (stores) => {
          await note(stores, { action: 'keys.restore', subjectId: input.backup_id })
          const few = await stores.rotation.userKeysAfter(undefined, FEW)
          return {
            rows: await keptRows(stores),
            lost: await lostRows(stores, input.rows),
            signing_key_id: (await stores.keys.signingKey())?.keyId ?? null,
            user_keys: few.map(({ userId, version, wrapped }) => ({
              ...{ user: userId, version, wrapped },
            })),
          }
        }),
    },
    'keys-put-back': {
      input: puttingBack,
      run: (input: Static<typeof puttingBack>): Promise<KeptRow[]> =>
        putBack({ db })(input.backup_id, input.rows, input.signing_key),
    },
    'keys-drill-sample': {
      input: sampling,
      run: (input: Static<typeof sampling>, { signal }: OperationContext): Promise<Sample> =>
        sampleFiles(db, input, { signal }),
    },
    'keys-drill-done': {
      input: drilled,
      run: async ({ backup_id, files, outcome }: Static<typeof drilled>): Promise<null> => {
        const facts = { action: 'keys.drill', subjectId: backup_id, bytes: files, outcome } as const
        await note(db.stores, outcome === 'failed' ? { ...facts, reason: 'damaged' } : facts)
        return null
      },
    },
  }
}

export type BackupOperations = ReturnType<typeof backupOperations>
