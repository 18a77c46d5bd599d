import { FernetKey } from '../crypto/fernet-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { KeyProvider } from './key-provider.js'
import type { DeploymentKeyRow, KeyStore } from './ports.js'

/** The keys do not belong to the data: starting would make files nobody can open. */
export class WrongKeysError extends Error {
  override readonly name = 'WrongKeysError'
}

interface Dependencies {
  readonly provider: KeyProvider
  readonly store: KeyStore
}

const GIVE_KEY =
  'Give that key in MASTER_KEYS, KMS_KEY_IDS or VAULT_TRANSIT_KEYS (comma-separated lists; all of them open).'

/**
 * Proves at start that the master keys fit what is stored, and gives the index key.
 *
 * Every check value must open with a configured key. Where data are sealed, a missing check value or
 * index key, or one that does not open, is a refusal: a new key is never made over existing data.
 * `addsChecks`: false for a command, whose keys are not what the service runs with.
 * @throws WrongKeysError with what to do
 */
export async function openDeploymentKeys({
  provider,
  store,
  addsChecks = true,
}: Dependencies & { readonly addsChecks?: boolean }): Promise<FernetKey> {
  const rows = await store.deploymentKeys()
  const checks = rows.filter((row) => row.use === 'check')
  const sealed = await store.hasSealedData()
  if (sealed && checks.length === 0) {
    throw new WrongKeysError('The check values of the master keys are missing from the database.')
  }
  for (const row of checks) await openCheck(provider, row)
  if (addsChecks) await addMissingChecks({ provider, store }, checks)
  if (addsChecks) await refuseRetired({ provider, store })
  return await openIndexKey({ provider, store }, rows, sealed)
}

async function openCheck(provider: KeyProvider, row: DeploymentKeyRow): Promise<void> {
  const key = await unwrapping(
    () => provider.unwrap(row.wrapped, { use: 'check' }),
    `No master key given opens the check value of master key ${row.masterKeyId}, with which data ` +
      `here are sealed. ${GIVE_KEY}`,
  )
  key.destroy()
}

/** A key that does not open is the operator's to mend; a provider that is away is not. */
async function unwrapping(unwrap: () => Promise<FernetKey>, advice: string): Promise<FernetKey> {
  try {
    return await unwrap()
  } catch (cause) {
    if (cause instanceof StrongroomError && cause.code !== 'damaged') throw cause
    throw new WrongKeysError(advice, { cause })
  }
}

async function addMissingChecks(
  { provider, store }: Dependencies,
  checks: readonly DeploymentKeyRow[],
): Promise<void> {
  for (const masterKeyId of provider.masterKeyIds) {
    if (checks.some((row) => row.masterKeyId === masterKeyId)) continue
    const key = FernetKey.generate()
    const wrapped = await provider.wrapWith(masterKeyId, key, { use: 'check' })
    key.destroy()
    await store.insertDeploymentKey({ use: 'check', masterKeyId, wrapped })
  }
}

/** What was given up wraps nothing more, also where it stands first in somebody's settings. */
async function refuseRetired({ provider, store }: Dependencies): Promise<void> {
  const [first] = provider.masterKeyIds
  const rows = await store.deploymentKeys()
  if (rows.some(({ use, masterKeyId }) => use === 'check' && masterKeyId === first)) return
  throw new WrongKeysError(
    `Master key ${first}, the first given, was retired: take it out of MASTER_KEYS.`,
  )
}

async function openIndexKey(
  { provider, store }: Dependencies,
  rows: readonly DeploymentKeyRow[],
  sealed: boolean,
): Promise<FernetKey> {
  const found = rows.find((row) => row.use === 'index-key')
  if (found !== undefined) {
    return await unwrapping(
      () => provider.unwrap(found.wrapped, { use: 'index-key' }),
      `No master key given opens the index key, which master key ${found.masterKeyId} wraps. ` +
        GIVE_KEY,
    )
  }
  if (sealed) throw new WrongKeysError('The index key is missing from the database.')
  const key = FernetKey.generate()
  const wrapped = await provider.wrap(key, { use: 'index-key' })
  const [masterKeyId] = provider.masterKeyIds
  if (await store.insertDeploymentKey({ use: 'index-key', masterKeyId, wrapped })) return key
  // Another node was first: its key is the deployment's.
  key.destroy()
  return await openIndexKey({ provider, store }, await store.deploymentKeys(), true)
}
