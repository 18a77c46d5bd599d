import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../audit/system-actor.js'
import type { Transactions } from '../ports/transactions.js'
import type { BackupStores, KeptRow, PublicHalf } from './ports.js'

type KeyStores = Pick<BackupStores, 'keys' | 'rotation' | 'audit'>

interface Dependencies {
  readonly db: Transactions<KeyStores>
}

/**
 * Rows of a backup that the database lost and needs. The check value of a master key that wraps
 * nothing is not among them: that key was retired, and its check value would ask for it again. The key
 * that signs counts as lost as well where only its public half is: the service wants both or none.
 */
export async function lostRows(
  { keys, rotation }: Pick<KeyStores, 'keys' | 'rotation'>,
  kept: readonly KeptRow[],
): Promise<KeptRow[]> {
  const there = await keys.deploymentKeys()
  const uses = new Set<string>(there.map(({ use }) => use))
  const others = kept.filter(({ use }) => use !== 'check' && !uses.has(use))
  const counts = await rotation.countByMasterKey()
  const isUnknown = counts.some(({ masterKeyId }) => masterKeyId === null)
  const needed = new Set([
    ...counts.map(({ masterKeyId }) => masterKeyId),
    ...there.flatMap(({ use, masterKeyId }) => (use === 'check' ? [] : [masterKeyId])),
    ...others.map(({ master_key_id }) => master_key_id),
  ])
  const checked = new Set(there.flatMap((row) => (row.use === 'check' ? [row.masterKeyId] : [])))
  const checks = kept.filter(
    ({ use, master_key_id: id }) =>
      use === 'check' && !checked.has(id) && (isUnknown || needed.has(id)),
  )
  return [...checks, ...others, ...(await withoutPublicHalf(keys))]
}

async function withoutPublicHalf(
  keys: Pick<BackupStores['keys'], 'deploymentKeys' | 'signingKey'>,
): Promise<KeptRow[]> {
  if ((await keys.signingKey()) !== undefined) return []
  const rows = (await keys.deploymentKeys()).filter(({ use }) => use === 'signing-key')
  return rows.map(({ use, masterKeyId, wrapped }) => ({ use, master_key_id: masterKeyId, wrapped }))
}

/**
 * Inserts what the database lost, and nothing in the place of what is there. Which they were.
 * @param half of the key that signs, where it could be opened: only with it is a key put back of
 *   which the database does not know the public half
 */
export function putBack({ db }: Dependencies) {
  return async (
    backupId: string,
    kept: readonly KeptRow[],
    half?: PublicHalf,
  ): Promise<KeptRow[]> =>
    await db.transaction(async (stores) => {
      await stores.rotation.lockMasterKeys()
      const done: KeptRow[] = []
      for (const row of await lostRows(stores, kept)) {
        const isDone =
          row.use === 'signing-key'
            ? await putBackSigningKey(stores, row, half)
            : await putBackRow(stores, row)
        if (isDone) done.push(row)
      }
      await stores.audit.append(
        auditEvent(systemActor('backup'), {
          ...{ action: 'keys.put_back', outcome: 'success' },
          ...{ subjectId: backupId, bytes: done.length },
        }),
      )
      return done
    })
}

function putBackRow(
  { keys }: Pick<KeyStores, 'keys'>,
  { use, master_key_id: masterKeyId, wrapped }: KeptRow,
): Promise<boolean> {
  return keys.insertDeploymentKey({ use, masterKeyId, wrapped })
}

/** Another key than the database knows, or one without a public half, would keep the service from starting. */
async function putBackSigningKey(
  stores: Pick<KeyStores, 'keys'>,
  row: KeptRow,
  half: PublicHalf | undefined,
): Promise<boolean> {
  const known = await stores.keys.signingKey()
  const own = half?.wrapped === row.wrapped ? half : undefined
  if (known !== undefined) {
    if (own !== undefined && own.key_id !== known.keyId) return false
    return await putBackRow(stores, row)
  }
  if (own === undefined) return false
  await putBackRow(stores, row)
  const publicHalf = { keyId: own.key_id, publicKey: own.public_key }
  return await stores.keys.insertPublicHalf(publicHalf, row.wrapped)
}
