import type { DeploymentKeyRow, UserKeyRow } from '../keys/ports.js'
import { inBatches } from './in-batches.js'
import type { WrappedUserKey } from './ports.js'
import type { RotationDependencies } from './rotate-master.js'

const BATCH = 200

/** Every user key there is, some hundred at a time. */
export function userKeyBatches({ db }: Pick<RotationDependencies, 'db'>) {
  return inBatches<WrappedUserKey>(BATCH, (after) => db.stores.rotation.userKeysAfter(after, BATCH))
}

export const claimsOf = ({ userId, version }: Omit<UserKeyRow, 'wrapped'>) =>
  ({ use: 'user-key', user: userId, version }) as const

/** The keys of the whole deployment that a master key wraps; check values stay with theirs. */
export async function deploymentKeyRows({
  db,
}: Pick<RotationDependencies, 'db'>): Promise<WrappedDeploymentKey[]> {
  return (await db.stores.keys.deploymentKeys()).flatMap((row) =>
    row.use === 'check' ? [] : [{ ...row, use: row.use }],
  )
}

export interface WrappedDeploymentKey extends DeploymentKeyRow {
  readonly use: Exclude<DeploymentKeyRow['use'], 'check'>
}

/**
 * Opens a key of the deployment, to say which master key does.
 * @throws CryptoError where none does
 */
export async function masterKeyOfDeployment(
  { provider }: Pick<RotationDependencies, 'provider'>,
  { use, wrapped }: WrappedDeploymentKey,
): Promise<string> {
  const { key, masterKeyId } = await provider.unwrapNamed(wrapped, { use })
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
