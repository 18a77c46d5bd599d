import { auditEvent } from '../audit/audit-log.js'
import { systemActor } from '../files/purge-due.js'
import type { Transactions } from '../ports/transactions.js'
import type { BackupStores, KeptRow } from './ports.js'

type KeyStores = Pick<BackupStores, 'keys' | 'rotation' | 'audit'>

interface Dependencies {
  readonly db: Transactions<KeyStores>
}

/**
 * Rows of a backup that the database lost and needs. The check value of a master key that wraps
 * nothing is not among them: that key was retired, and its check value would ask for it again.
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
  return [...checks, ...others]
}

/** Inserts what the database lost, and nothing in the place of what is there. Which they were. */
export function putBack({ db }: Dependencies) {
  return async (backupId: string, kept: readonly KeptRow[]): Promise<KeptRow[]> =>
    await db.transaction(async (stores) => {
      await stores.rotation.lockMasterKeys()
      const lost = await lostRows(stores, kept)
      for (const { use, master_key_id: masterKeyId, wrapped } of lost) {
        await stores.keys.insertDeploymentKey({ use, masterKeyId, wrapped })
      }
      await stores.audit.append(
        auditEvent(systemActor('backup'), {
          ...{ action: 'keys.put_back', outcome: 'success' },
          ...{ subjectId: backupId, bytes: lost.length },
        }),
      )
      return lost
    })
}
