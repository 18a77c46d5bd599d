import type { UserKeyRow } from '../keys/ports.js'
import type { WrappedUserKey } from './ports.js'
import type { RotationDependencies } from './rotate-master.js'

const BATCH = 200

/** Every user key there is, some hundred at a time. */
export async function* userKeyBatches({
  db,
}: Pick<RotationDependencies, 'db'>): AsyncGenerator<WrappedUserKey[], void> {
  let rows = await db.stores.rotation.userKeysAfter(undefined, BATCH)
  while (rows.length > 0) {
    yield rows
    rows = await db.stores.rotation.userKeysAfter(rows.at(-1), BATCH)
  }
}

export const claimsOf = ({ userId, version }: UserKeyRow) =>
  ({ use: 'user-key', user: userId, version }) as const

/**
 * Opens the index key, to say which master key does; nothing where there is none yet.
 * @throws CryptoError where none does
 */
export async function masterKeyOfIndex({
  db,
  provider,
}: RotationDependencies): Promise<string | undefined> {
  const rows = await db.stores.keys.deploymentKeys()
  const found = rows.find(({ use }) => use === 'index-key')
  if (found === undefined) return undefined
  const { key, masterKeyId } = await provider.unwrapNamed(found.wrapped, { use: 'index-key' })
  key.destroy()
  return masterKeyId
}

/**
 * Opens a user key, to say which master key does: what its row says of that can be changed by whoever
 * writes the database.
 * @throws CryptoError where none does
 */
export async function masterKeyOf(
  { provider }: Pick<RotationDependencies, 'provider'>,
  row: UserKeyRow,
): Promise<string> {
  const { key, masterKeyId } = await provider.unwrapNamed(row.wrapped, claimsOf(row))
  key.destroy()
  return masterKeyId
}
