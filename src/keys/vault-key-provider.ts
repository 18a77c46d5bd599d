import { Agent, type Dispatcher, request } from 'undici'
import { CryptoError } from '../crypto/crypto-error.js'
import { claimsText } from './key-bytes.js'
import type { MasterClaims } from './key-provider.js'
import { type KeyFault, KeysUnavailableError } from './keys-unavailable.js'
import {
  type RemoteKey,
  type RemoteOptions,
  remoteKeyId,
  remoteKeyProvider,
} from './remote-key-provider.js'
import type { KeyHolder } from './several-key-providers.js'

/** One version of a Transit key: Vault turns a key by giving it another version. */
export interface TransitKey {
  readonly name: string
  /** From 1. */
  readonly version: number
}

export interface VaultOptions extends RemoteOptions {
  /** Where Vault, or a Vault Agent or Proxy, listens: without `/v1`. */
  readonly address: string
  /** Where the Transit engine is mounted. */
  readonly mount: string
  readonly namespace?: string | undefined
  /** At least one; the first wraps. */
  readonly keys: readonly [TransitKey, ...TransitKey[]]
  /** The token as it is now: asked for at first, and again when Vault refuses the one before. */
  readonly readToken: () => Promise<string>
}

const holder = 'vault'
const MAX_ANSWER_BYTES = 65_536

/**
 * Master keys in HashiCorp Vault's Transit engine. The claims go along as associated data, so the keys
 * must be of an AEAD type. Never run against the real service (docs/OPERATIONS.md).
 */
export function vaultKeyProvider(options: VaultOptions): KeyHolder {
  const agent = new Agent({ connections: 16, maxResponseSize: MAX_ANSWER_BYTES })
  const ask = vaultClient(options, agent)
  return remoteKeyProvider({
    ...options,
    holder,
    prefix: 'vault',
    keys: options.keys.map((key) => transitKey(ask, options.mount, key)),
    close: () => agent.close(),
  })
}

type Ask = (
  masterKeyId: string,
  path: string,
  body: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
) => Promise<unknown>

function transitKey(ask: Ask, mount: string, { name, version }: TransitKey): RemoteKey {
  const masterKeyId = remoteKeyId(holder, mount, name, version)
  const head = `vault:v${version}:`
  const garbage = () => new KeysUnavailableError('garbage', { holder, masterKeyId })
  return {
    masterKeyId,
    encrypt: async (bytes, claims, signal) => {
      const body = {
        plaintext: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
        associated_data: associatedData(claims),
        key_version: version,
      }
      const data = await ask(masterKeyId, `${mount}/encrypt/${name}`, body, signal)
      const ciphertext = memberOf(data, 'ciphertext')
      // Under another version it would be found under no id.
      if (typeof ciphertext !== 'string' || !isCiphertext(ciphertext, head)) throw garbage()
      return ciphertext
    },
    decrypt: async (ciphertext, claims, signal) => {
      if (!isCiphertext(ciphertext, head)) throw new CryptoError('malformed')
      const body = { ciphertext, associated_data: associatedData(claims) }
      const data = await ask(masterKeyId, `${mount}/decrypt/${name}`, body, signal)
      const plaintext = memberOf(data, 'plaintext')
      if (typeof plaintext !== 'string') throw garbage()
      return Buffer.from(plaintext, 'base64')
    },
  }
}

function associatedData(claims: MasterClaims): string {
  return Buffer.from(claimsText(claims)).toString('base64')
}

/** Of this version, and canonical: each value has one text. */
function isCiphertext(text: string, head: string): boolean {
  const base64 = text.slice(head.length)
  return (
    text.startsWith(head) &&
    base64 !== '' &&
    Buffer.from(base64, 'base64').toString('base64') === base64
  )
}

interface VaultAnswer {
  readonly status: number
  readonly body: unknown
}

/** Asks Vault's HTTP API; a token it refuses is read anew once, as an agent may have renewed it. */
function vaultClient(options: VaultOptions, dispatcher: Dispatcher): Ask {
  let token: Promise<string> | undefined
  const current = () => {
    token ??= options.readToken().catch((error: unknown) => {
      token = undefined
      throw error
    })
    return token
  }
  const renewed = async (used: string): Promise<string | undefined> => {
    token = undefined
    const found = await current()
    return found === used ? undefined : found
  }
  return async (masterKeyId, path, body, signal) => {
    const fault = (kind: KeyFault, said?: string | number, cause?: unknown) =>
      new KeysUnavailableError(kind, { holder, masterKeyId, said, cause })
    const post = async (withToken: string): Promise<VaultAnswer> => {
      try {
        return await send(options, dispatcher, { path, body, signal, token: withToken })
      } catch (cause) {
        if (signal.aborted) throw fault('timeout')
        throw fault('unreachable', codeOf(cause), cause)
      }
    }
    const tokenOr = async <T>(read: Promise<T>): Promise<T> => {
      try {
        return await read
      } catch (cause) {
        throw fault('no_credentials', codeOf(cause), cause)
      }
    }
    const used = await tokenOr(current())
    let answer = await post(used)
    if (answer.status === 403) {
      const other = await tokenOr(renewed(used))
      if (other !== undefined) answer = await post(other)
    }
    return dataOf(answer, fault)
  }
}

async function send(
  { address, namespace }: VaultOptions,
  dispatcher: Dispatcher,
  { path, body, signal, token }: { path: string; body: object; signal: AbortSignal; token: string },
): Promise<VaultAnswer> {
  const { statusCode, body: answer } = await request(`${address.replace(/\/+$/, '')}/v1/${path}`, {
    dispatcher,
    signal,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-vault-token': token,
      // An agent's listener may ask for it, against requests forged through a browser.
      'x-vault-request': 'true',
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
    },
    body: JSON.stringify(body),
  })
  return { status: statusCode, body: parse(await answer.text()) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Of a proxy, perhaps: the status says enough.
    return undefined
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}

/** Go's AEADs say this of another context, another key, or changed bytes. */
const unauthentic = /message authentication failed/
/** Errors of a 400 that are no faults of the ciphertext; Vault has no codes for them. */
const refusals: readonly (readonly [RegExp, KeyFault])[] = [
  [/disallowed by policy|less than the minimum encryption key version/, 'disabled'],
  [/key not found|version is too new|higher than the latest|no such key version/, 'missing'],
  [/associated_data|key derivation|not supported for key type|unsupported key type/, 'unfit'],
]

function dataOf(
  { status, body }: VaultAnswer,
  fault: (kind: KeyFault, said?: string | number) => KeysUnavailableError,
): unknown {
  if (status === 200) {
    const data = memberOf(body, 'data')
    if (data === undefined) throw fault('garbage', status)
    return data
  }
  const listed = memberOf(body, 'errors')
  const errors = Array.isArray(listed) ? listed.filter((each) => typeof each === 'string') : []
  // Some versions answer this with 500.
  if (errors.some((each) => unauthentic.test(each))) throw new CryptoError('unauthentic')
  if (status === 403) throw fault('denied', status)
  if (status === 404) throw fault('missing', status)
  if (status === 429) throw fault('throttled', status)
  if (status === 412 || status >= 500) throw fault('failing', status)
  if (status !== 400) throw fault('garbage', status)
  const known = refusals.find(([pattern]) => errors.some((each) => pattern.test(each)))
  if (known !== undefined) throw fault(known[1], status)
  if (errors.some((each) => each.startsWith('invalid ciphertext')))
    throw new CryptoError('malformed')
  throw fault('refused', status)
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}
