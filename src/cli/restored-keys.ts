import { keysElsewhere } from '../backup/held-elsewhere.js'
import { type OpenedBackup, renderKeys } from '../backup/open-backup.js'
import { openKeyProvider } from '../compose-keys.js'
import { masterKeys } from '../config/secrets.js'
import type { Config } from '../config.js'
import { CryptoError } from '../crypto/crypto-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import { remoteKeyNamed } from '../keys/remote-key-provider.js'
import type { RunningKeyProvider } from '../keys/several-key-providers.js'
import { CommandFailure } from './context.js'

/** For a command, whose own failure says what a log would. */
export const quiet = { info: () => undefined, warn: () => undefined }

export interface RestoredKeys extends Pick<KeyProvider, 'unwrap'> {
  close(): Promise<void>
}

/**
 * The keys of a backup and no others, never those of MASTER_KEYS; what it names as held elsewhere is
 * asked for there, by these settings. `unwrap` throws CommandFailure where these do not name it.
 */
export async function openRestoredKeys(
  opened: OpenedBackup,
  settings: Config['keys'],
): Promise<RestoredKeys> {
  const elsewhere = keysElsewhere(opened)
  const provider = await openProvider(opened, settings, elsewhere)
  const reached: readonly string[] = provider.masterKeyIds
  return {
    close: () => provider.close(),
    unwrap: async (text, claims) => {
      const id = remoteKeyNamed(text)
      // A key elsewhere that the backup does not name proves nothing of the backup.
      if (id !== undefined && !elsewhere.includes(id)) throw new CryptoError('unauthentic')
      if (id !== undefined && !reached.includes(id)) throw notNamed([id])
      return await provider.unwrap(text, claims)
    },
  }
}

/** By the way keys take into the service: the text of the file that `keys restore` writes. */
async function openProvider(
  opened: OpenedBackup,
  settings: Config['keys'],
  elsewhere: readonly string[],
): Promise<RunningKeyProvider> {
  const restored = masterKeys(renderKeys(opened.content))
  const { kms, vault } = settings
  // Nothing of a backup that holds all its keys depends on whether anybody else answers.
  const asked =
    elsewhere.length > 0
      ? settings
      : { ...settings, kms: { ...kms, keyIds: [] }, vault: { ...vault, keys: [] } }
  const provider =
    restored.length > 0
      ? 'local'
      : asked.kms.keyIds.length > 0
        ? 'aws-kms'
        : asked.vault.keys.length > 0 && vault.address !== undefined && vault.token !== undefined
          ? 'vault'
          : undefined
  if (provider === undefined) throw notNamed(elsewhere)
  return await openKeyProvider({ ...asked, provider }, { masterKeys: restored }, quiet)
}

function notNamed(ids: readonly string[]): CommandFailure {
  return new CommandFailure(
    `Held elsewhere, and not in the settings: ${ids.join(', ')}. A backup cannot hold such a master key: give it in KMS_KEY_IDS or VAULT_TRANSIT_KEYS, with access to it`,
  )
}
