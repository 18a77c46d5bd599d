import { type Agent, request } from 'undici'

export interface OidcMetadataOptions {
  readonly issuer: string
  /** Where its keys are, if not where its metadata say. */
  readonly jwksUri: string | undefined
  /** Milliseconds until an answer has come, body included. */
  readonly timeoutMs: number
  readonly agent: Agent
}

/** Where an OpenID provider has what (OpenID Connect Discovery 1.0). */
export interface OidcMetadata {
  jwksUri(): Promise<string>
  tokenEndpoint(): Promise<string>
}

/** Bytes of an answer that are read. */
export const maxAnswerBytes = 262_144

/** Asked once, and again where that failed. */
export function oidcMetadata({ issuer, jwksUri, timeoutMs, agent }: OidcMetadataOptions) {
  let known: Promise<Readonly<Record<string, unknown>>> | undefined
  const discover = async () => {
    const place = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const metadata = await getJson(place, { agent, timeoutMs })
    // Section 4.3: another issuer's metadata are no answer.
    if (metadata['issuer'] !== issuer) throw new Error('The metadata name another issuer')
    return metadata
  }
  const entry = async (name: string) => {
    known ??= discover().catch((error: unknown) => {
      known = undefined
      throw error
    })
    const place = (await known)[name]
    if (typeof place !== 'string' || !URL.canParse(place)) throw new Error(`There is no ${name}`)
    const isSafe = new URL(place).protocol === 'https:' || !issuer.startsWith('https:')
    if (!isSafe) throw new Error(`The provider’s ${name} is not encrypted`)
    return place
  }
  const metadata: OidcMetadata = {
    jwksUri: async () => jwksUri ?? (await entry('jwks_uri')),
    tokenEndpoint: () => entry('token_endpoint'),
  }
  return metadata
}

/** A JSON object from a provider; throws where the answer is anything else. Redirects are not followed. */
export async function getJson(
  place: string,
  { agent, timeoutMs }: Pick<OidcMetadataOptions, 'agent' | 'timeoutMs'>,
): Promise<Readonly<Record<string, unknown>>> {
  const { statusCode, body } = await request(place, {
    dispatcher: agent,
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await body.text()
  if (statusCode !== 200) throw new Error(`The identity provider answered ${statusCode}`)
  const answer: unknown = JSON.parse(text)
  if (typeof answer !== 'object' || answer === null) throw new Error('The answer is no object')
  return { ...answer }
}
