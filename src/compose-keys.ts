import { readFile } from 'node:fs/promises'
import type { Config } from './config.js'
import { localKeyProvider } from './keys/local-key-provider.js'
import type { RemoteOptions } from './keys/remote-key-provider.js'
import {
  type KeyHolder,
  localKeyHolder,
  type RunningKeyProvider,
  severalKeyProviders,
} from './keys/several-key-providers.js'
import type { WorkLog } from './ports/work-log.js'

type KeySettings = Config['keys']
type Provider = KeySettings['provider']

/**
 * The providers there are keys for, the one chosen first: it wraps, all open what is theirs. A driver is
 * loaded only where it is needed: KMS's takes a good part of a start.
 */
export async function openKeyProvider(
  settings: KeySettings,
  { masterKeys }: { readonly masterKeys: readonly string[] },
  log: Pick<WorkLog, 'info' | 'warn'>,
): Promise<RunningKeyProvider> {
  const remote: RemoteOptions = {
    timeoutMs: settings.timeoutMs,
    onCall: (call) => {
      log[call.outcome === 'done' ? 'info' : 'warn']({ ...call }, 'outbound call')
    },
  }
  const open: Record<Provider, () => Promise<KeyHolder | undefined>> = {
    local: async () =>
      masterKeys.length === 0
        ? undefined
        : await Promise.resolve(localKeyHolder(localKeyProvider(masterKeys))),
    'aws-kms': () => openKms(settings.kms, remote),
    vault: () => openVault(settings.vault, remote),
  }
  const names = (Object.keys(open) as Provider[]).filter((name) => name !== settings.provider)
  const chosen = await open[settings.provider]()
  if (chosen === undefined) throw new Error(`There is no key for ${settings.provider}`)
  const others: KeyHolder[] = []
  for (const name of names) {
    const holder = await open[name]()
    if (holder !== undefined) others.push(holder)
  }
  return severalKeyProviders([chosen, ...others])
}

async function openKms(
  { keyIds, region, endpoint, accessKeyId, secretAccessKey, sessionToken }: KeySettings['kms'],
  remote: RemoteOptions,
): Promise<KeyHolder | undefined> {
  if (keyIds.length === 0) return undefined
  const { awsKmsKeyProvider } = await import('./keys/aws-kms-key-provider.js')
  const hasKey = accessKeyId !== undefined && secretAccessKey !== undefined
  const credentials = hasKey
    ? { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
    : undefined
  return awsKmsKeyProvider({ ...remote, keyIds, region, endpoint, credentials })
}

async function openVault(
  { address, token, tokenFile, namespace, mount, keys: [first, ...others] }: KeySettings['vault'],
  remote: RemoteOptions,
): Promise<KeyHolder | undefined> {
  if (first === undefined || address === undefined || token === undefined) return undefined
  const { vaultKeyProvider } = await import('./keys/vault-key-provider.js')
  const readToken = async () =>
    tokenFile === undefined ? token : (await readFile(tokenFile, 'utf8')).trim()
  return vaultKeyProvider({
    ...remote,
    ...{ address, namespace, mount },
    keys: [first, ...others],
    readToken,
  })
}
