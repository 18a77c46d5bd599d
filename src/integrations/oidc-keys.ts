import { createPublicKey, type JsonWebKey } from 'node:crypto'
import type { Agent } from 'undici'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { ProviderKeys, SignatureAlgorithm, VerificationKey } from '../people/ports.js'
import type { WorkLog } from '../ports/work-log.js'
import { getJson, type OidcMetadata } from './oidc-metadata.js'

export interface OidcKeysOptions {
  readonly metadata: Pick<OidcMetadata, 'jwksUri'>
  readonly agent: Agent
  readonly timeoutMs: number
  /** Milliseconds after which a key that the provider has withdrawn is refused, while it answers. */
  readonly freshMs: number
  /** Milliseconds for which the keys known go on while it does not answer. */
  readonly outageMs: number
  /** Milliseconds between two questions because of a name that is not known. */
  readonly cooldownMs?: number
  readonly log: Pick<WorkLog, 'info' | 'error'>
}

interface KeySet {
  readonly keys: ReadonlyMap<string | undefined, readonly VerificationKey[]>
  /** `performance.now()` when they were asked for. */
  readonly askedAt: number
}

const maxKeys = 100
const minRsaBits = 2_048
const retryAfter = 5

/**
 * The keys of an OpenID provider (JWKS, RFC 7517), asked for when they are needed. Those who need them at
 * the same time share one question; a flood of tokens with names nobody knows asks once in a while.
 */
export function oidcKeys(options: OidcKeysOptions): ProviderKeys {
  const { freshMs, outageMs, cooldownMs = 5_000, log } = options
  let known: KeySet | undefined
  let underWay: Promise<KeySet | undefined> | undefined
  let failedAt = Number.NEGATIVE_INFINITY
  let askedForNameAt = Number.NEGATIVE_INFINITY

  const ask = async (): Promise<KeySet | undefined> => {
    const askedAt = performance.now()
    try {
      const place = await options.metadata.jwksUri()
      known = { keys: keysIn(await getJson(place, options)), askedAt }
      log.info(
        { target: 'identity provider', ms: Math.round(performance.now() - askedAt) },
        'outbound call',
      )
    } catch (err) {
      failedAt = performance.now()
      log.error({ err }, 'the identity provider gave no keys')
    }
    return known
  }
  const refresh = async () => {
    underWay ??= ask().finally(() => {
      underWay = undefined
    })
    return await underWay
  }
  const isCoolingDown = (since: number) => performance.now() - since < cooldownMs

  /** The keys as the provider has them, or had them before it fell silent. */
  const current = async (): Promise<KeySet> => {
    const age = performance.now() - (known?.askedAt ?? Number.NEGATIVE_INFINITY)
    if (age < freshMs / 2 && known !== undefined) return known
    // Halfway they are asked for without anybody waiting.
    if (age < freshMs && known !== undefined) {
      if (!isCoolingDown(failedAt)) void refresh()
      return known
    }
    const set = isCoolingDown(failedAt) ? known : await refresh()
    if (set === undefined || performance.now() - set.askedAt > freshMs + outageMs) throw away()
    return set
  }
  return {
    find: async (kid, algorithm) => {
      const set = await current()
      const found = pick(set, kid, algorithm)
      if (found !== undefined) return found
      if (isCoolingDown(failedAt)) throw away()
      // Those who come while it is being asked wait for the answer.
      if (isCoolingDown(askedForNameAt) && underWay === undefined) return undefined
      askedForNameAt = performance.now()
      const newer = await refresh()
      // One that is not known may be one that could not be asked for.
      if (newer === undefined || newer.askedAt <= set.askedAt) throw away()
      return pick(newer, kid, algorithm)
    },
    close: async () => {
      await underWay
    },
  }
}

function away(): StrongroomError {
  return new StrongroomError('identity_unavailable', { retryAfter })
}

function pick({ keys }: KeySet, kid: string | undefined, algorithm: string) {
  const named = kid === undefined ? [...keys.values()].flat() : (keys.get(kid) ?? [])
  const fitting = named.filter(({ algorithms }) => algorithms.some((each) => each === algorithm))
  return fitting.length === 1 ? fitting[0] : undefined
}

function keysIn({ keys }: Readonly<Record<string, unknown>>): KeySet['keys'] {
  if (!Array.isArray(keys) || keys.length > maxKeys) throw new Error('The answer is no set of keys')
  const found = new Map<string | undefined, VerificationKey[]>()
  for (const each of keys as unknown[]) {
    const jwk = (typeof each === 'object' && each !== null ? each : {}) as JsonWebKey
    const key = verificationKeyOf(jwk)
    if (key === undefined) continue
    const kid = typeof jwk['kid'] === 'string' ? jwk['kid'] : undefined
    found.set(kid, [...(found.get(kid) ?? []), key])
  }
  return found
}

const curves: Readonly<Record<string, SignatureAlgorithm>> = {
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  Ed25519: 'EdDSA',
}
const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const

/** Undefined: not for signatures, of a kind that is not known here, or too weak. */
function verificationKeyOf(jwk: JsonWebKey): VerificationKey | undefined {
  const { kty, crv, use, alg } = jwk
  const curve = curves[crv ?? '']
  const own = kty === 'RSA' ? rsa : curve === undefined ? [] : [curve]
  const algorithms = typeof alg === 'string' ? own.filter((each) => each === alg) : own
  if (algorithms.length === 0 || (use !== undefined && use !== 'sig')) return undefined
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const bits = key.asymmetricKeyDetails?.modulusLength ?? minRsaBits
    if (bits < minRsaBits) return undefined
    return { key: key.export({ type: 'spki', format: 'pem' }).toString(), algorithms }
  } catch {
    // One key that cannot be read takes none of the others away.
    return undefined
  }
}
