import { createHash, randomBytes } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import type { FernetKey } from '../crypto/fernet-key.js'
import { circuitBreaker } from './circuit-breaker.js'
import { takeKeyBytes, withKeyBytes } from './key-bytes.js'
import type { KeyProvider, MasterClaims } from './key-provider.js'
import { type KeyFault, type KeyFaultFacts, KeysUnavailableError } from './keys-unavailable.js'
import type { KeyHolder } from './several-key-providers.js'
import { withinTime } from './within-time.js'

/**
 * A master key that stays with whoever holds it and is used there. Each call is one attempt and throws
 * what `KeyProvider` throws: `KeysUnavailableError`, or `CryptoError` where the ciphertext is not what
 * this key made for these claims.
 */
export interface RemoteKey {
  readonly masterKeyId: string
  encrypt(bytes: Uint8Array, claims: MasterClaims, signal: AbortSignal): Promise<string>
  decrypt(ciphertext: string, claims: MasterClaims, signal: AbortSignal): Promise<Uint8Array>
}

/** One question to whoever holds the keys, for the log. */
export interface RemoteCall {
  readonly target: string
  readonly operation: 'encrypt' | 'decrypt'
  readonly outcome: 'done' | 'damaged' | KeyFault
  readonly ms: number
}

export interface RemoteOptions {
  /** Milliseconds for a question with all its attempts. */
  readonly timeoutMs: number
  readonly onCall?: (call: RemoteCall) => void
}

interface Held extends RemoteOptions {
  /** As operators know it: `aws-kms`, `vault`. */
  readonly holder: string
  /** What its wrappings begin with, before a colon. */
  readonly prefix: string
  readonly keys: readonly RemoteKey[]
  readonly close: () => Promise<void>
}

/** What comes back is far shorter; who can write the database may have written anything. */
const MAX_WRAPPING = 8_192
/** How long an answer about health is good for. */
const HEALTH_MS = 5_000

/**
 * Wraps and unwraps with keys that someone else holds, the first of which wraps. A wrapping is
 * `prefix:master key id:ciphertext`.
 */
export function remoteKeyProvider({ keys, prefix, close, ...options }: Held): KeyHolder {
  const held = keys.map((key) => ({ ...useKey(key, options), masterKeyId: key.masterKeyId }))
  const [first, ...others] = held
  if (first === undefined) throw new Error('A master key is needed')
  const wrapUnder = async (
    { masterKeyId, wrap }: (typeof held)[number],
    ...what: [FernetKey, MasterClaims]
  ) => `${prefix}:${masterKeyId}:${await wrap(...what)}`
  const unwrapNamed: KeyProvider['unwrapNamed'] = async (text, claims) => {
    const { masterKeyId, ciphertext } = partsOf(text, prefix)
    const master = held.find((key) => key.masterKeyId === masterKeyId)
    if (master === undefined) throw new CryptoError('unauthentic')
    return { key: await master.unwrap(ciphertext, claims), masterKeyId }
  }
  return {
    masterKeyIds: [first.masterKeyId, ...others.map(({ masterKeyId }) => masterKeyId)],
    wrap: (key, claims) => wrapUnder(first, key, claims),
    wrapWith: (id, key, claims) => {
      const master = held.find(({ masterKeyId }) => masterKeyId === id)
      if (master === undefined) throw new Error('No such master key')
      return wrapUnder(master, key, claims)
    },
    unwrap: async (text, claims) => (await unwrapNamed(text, claims)).key,
    unwrapNamed,
    opens: (text) => text.startsWith(`${prefix}:`),
    isAnswering: rarely(first.isAnswering),
    close,
  }
}

/** A master key's id from what it is called where it is held: nothing of the key is in it. */
export function remoteKeyId(holder: string, ...name: (string | number)[]): string {
  return createHash('sha256')
    .update(JSON.stringify(['strongroom master key id', holder, ...name]))
    .digest('hex')
    .slice(0, 16)
}

function partsOf(text: string, prefix: string): { masterKeyId: string; ciphertext: string } {
  const id = text.slice(prefix.length + 1, prefix.length + 17)
  const head = `${prefix}:${id}:`
  if (text.length > MAX_WRAPPING || !/^[0-9a-f]{16}$/.test(id) || !text.startsWith(head)) {
    throw new CryptoError('malformed')
  }
  return { masterKeyId: id, ciphertext: text.slice(head.length) }
}

/** One key, with time limits and attempts around it; it wraps nothing before it has shown that it binds. */
function useKey(remote: RemoteKey, options: Pick<Held, 'holder' | keyof RemoteOptions>) {
  const { encrypt, decrypt, fault } = patient(remote, options)
  let shown: Promise<string> | undefined
  const show = () => {
    shown ??= showThatItBinds(encrypt, decrypt, fault).catch((error: unknown) => {
      shown = undefined
      throw error
    })
    return shown
  }
  return {
    wrap: async (key: FernetKey, claims: MasterClaims) => {
      await show()
      return await withKeyBytes(key, (bytes) => encrypt(bytes, claims))
    },
    unwrap: async (ciphertext: string, claims: MasterClaims) =>
      takeKeyBytes(await decrypt(ciphertext, claims)),
    isAnswering: async () => {
      await decrypt(await show(), { use: 'check' })
    },
  }
}

function patient(
  remote: RemoteKey,
  { holder, timeoutMs, onCall }: Omit<Held, 'keys' | 'prefix' | 'close'>,
) {
  const { masterKeyId } = remote
  const fault = (kind: KeyFault, facts: Pick<KeyFaultFacts, 'said' | 'cause'> = {}) =>
    new KeysUnavailableError(kind, { holder, masterKeyId, ...facts })
  const breaker = circuitBreaker((met) => fault(met.fault, { said: met.facts.said, cause: met }))
  const timedOut = () => fault('timeout')
  const ask = <T>(
    operation: RemoteCall['operation'],
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> =>
    breaker(() =>
      withinTime({ timeoutMs, timedOut }, async (signal) => {
        const start = performance.now()
        const tell = (outcome: RemoteCall['outcome']) => {
          onCall?.({
            target: holder,
            operation,
            outcome,
            ms: Math.round(performance.now() - start),
          })
        }
        try {
          const answer = await attempt(signal)
          tell('done')
          return answer
        } catch (error) {
          tell(outcomeOf(error))
          throw error
        }
      }),
    )
  return {
    fault,
    encrypt: (bytes: Uint8Array, claims: MasterClaims) =>
      ask('encrypt', (signal) => remote.encrypt(bytes, claims, signal)),
    decrypt: (ciphertext: string, claims: MasterClaims) =>
      ask('decrypt', (signal) => remote.decrypt(ciphertext, claims, signal)),
  }
}

function outcomeOf(error: unknown): RemoteCall['outcome'] {
  if (error instanceof CryptoError) return 'damaged'
  return error instanceof KeysUnavailableError ? error.fault : 'failing'
}

type Patient = ReturnType<typeof patient>

/**
 * That a wrapping cannot be moved rests on its holder's heeding the claims, and some kinds of key, and
 * old servers, silently do not: so what is wrapped for one use must not open for another.
 * @returns the ciphertext it was shown with
 */
async function showThatItBinds(
  encrypt: Patient['encrypt'],
  decrypt: Patient['decrypt'],
  fault: Patient['fault'],
): Promise<string> {
  const bytes = randomBytes(32)
  const ciphertext = await encrypt(bytes, { use: 'check' })
  const opened = await decrypt(ciphertext, { use: 'check' })
  if (!bytes.equals(opened)) throw fault('unfit')
  try {
    await decrypt(ciphertext, { use: 'index-key' })
  } catch (error) {
    if (error instanceof CryptoError) return ciphertext
    throw error
  }
  throw fault('unfit')
}

/** Whether `check` succeeds, asked at most once in some seconds, whoever wants to know. */
function rarely(check: () => Promise<void>): () => Promise<boolean> {
  let asked: { until: number; answer: Promise<boolean> } | undefined
  return async () => {
    if (asked === undefined || asked.until < performance.now()) {
      const answer = check().then(
        () => true,
        () => false,
      )
      asked = { until: performance.now() + HEALTH_MS, answer }
    }
    return await asked.answer
  }
}
