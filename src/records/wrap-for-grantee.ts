import type { GrantRow, HeldGrant, WrappedKeyRow } from '../files/ports.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from './ports.js'

interface Dependencies {
  readonly db: Transactions<Pick<RecordStores, 'files'>>
  readonly keyRing: Pick<KeyRing, 'wrapFileKey' | 'unwrapFileKey'>
}

/**
 * The keys of every version the holder can open, wrapped for the grant's person. Reaches the key
 * provider: never in a transaction.
 */
export async function wrapForGrantee(
  { db, keyRing }: Dependencies,
  { holder, grant }: { holder: Pick<HeldGrant, 'grantId' | 'userId'>; grant: GrantRow },
): Promise<WrappedKeyRow[]> {
  const rows: WrappedKeyRow[] = []
  for (const { version, sealedId } of await db.stores.files.versions(grant.fileId)) {
    const entry = await db.stores.files.entry(grant.fileId, holder.userId, version)
    const held = entry?.held.find(({ grantId }) => grantId === holder.grantId)
    if (held === undefined) continue
    const key = await keyRing.unwrapFileKey(held.key, sealedId, held)
    try {
      const wrapped = await keyRing.wrapFileKey(key, sealedId, grant)
      rows.push({ sealedId, grantId: grant.grantId, ...wrapped })
    } finally {
      key.destroy()
    }
  }
  return rows
}
