import { generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import Provider, { type Configuration, type JWK } from 'oidc-provider'

/** What tokens of the provider say of a person beside their id. */
export interface Account {
  readonly roles?: readonly string[]
  readonly clientRoles?: Readonly<Record<string, readonly string[]>>
  readonly extra?: Readonly<Record<string, unknown>>
}

/** A real OpenID provider on a port of this machine, its keys in our hands. */
export interface IdentityProvider {
  readonly issuer: string
  readonly audience: string
  /** Of the client that browsers' sessions and people's tokens are of. */
  readonly client: { readonly id: string; readonly secret: string }
  /** Requests for its keys, and for tokens. */
  asked(path: '/jwks' | '/token'): number
  /** An access token for a person, as the provider signs it; `seconds` of life. */
  tokenOf(sub: string, account?: Account, seconds?: number): Promise<string>
  /** A refresh token of a person's session. */
  refreshTokenOf(sub: string, account?: Account): Promise<string>
  /** A service's own token, by the client credentials grant, for the service of that name. */
  serviceToken(client: string): Promise<string>
  /** Signs with a new key from now on; publishes the old one too where `keepOld`. */
  rotate(options: { readonly keepOld: boolean }): void
  /** Its private signing key of now, for tokens it would not sign. */
  privateKey(): { readonly jwk: JsonWebKey; readonly kid: string }
  /** Nobody listens; connections are reset. */
  stop(): Promise<void>
  start(): Promise<void>
}

const audience = 'https://files.portal.example'
const client = { id: 'portal', secret: 'portal-secret-of-at-least-32-characters' }
export const services = ['portal-api', 'stranger-api'] as const

function newKey(alg: 'RS256' | 'ES256'): JWK {
  const { privateKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg }
}

export async function startIdentityProvider(
  alg: 'RS256' | 'ES256' = 'RS256',
): Promise<IdentityProvider> {
  const accounts = new Map<string, Account>()
  const counts = new Map<string, number>()
  let keys = [newKey(alg)]
  let listener: RequestListener = (_request, response) => response.writeHead(503).end()
  let provider: Provider
  let port = 0
  let server: Server | undefined

  const start = async () => {
    server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname
      counts.set(path, (counts.get(path) ?? 0) + 1)
      listener(request, response)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    port = address.port
  }
  await start()
  const issuer = `http://127.0.0.1:${port}`

  const build = () => {
    provider = new Provider(issuer, configuration(keys, alg, accounts))
    const answer = provider.callback()
    listener = (request, response) => void answer(request, response)
  }
  build()

  const granted = async (sub: string, account: Account) => {
    accounts.set(sub, account)
    const grant = new provider.Grant({ accountId: sub, clientId: client.id })
    grant.addOIDCScope('openid offline_access')
    grant.addResourceScope(audience, 'files')
    return { grantId: await grant.save(), found: await provider.Client.find(client.id) }
  }
  return {
    issuer,
    audience,
    client,
    asked: (path) => counts.get(path) ?? 0,
    tokenOf: async (sub, account = {}, seconds = 3600) => {
      const { grantId, found } = await granted(sub, account)
      if (found === undefined) throw new Error('no client')
      const token = new provider.AccessToken({
        ...{ accountId: sub, client: found, grantId, gty: 'authorization_code', scope: 'files' },
        expiresWithSession: false,
        expiresIn: seconds,
      })
      token.resourceServer = new provider.ResourceServer(audience, resource(alg, seconds))
      return await token.save()
    },
    refreshTokenOf: async (sub, account = {}) => {
      const { grantId, found } = await granted(sub, account)
      if (found === undefined) throw new Error('no client')
      const token = new provider.RefreshToken({
        ...{ accountId: sub, client: found, grantId, gty: 'authorization_code' },
        ...{ scope: 'openid offline_access files', resource: audience, rotations: 0 },
        ...{ expiresWithSession: false, iiat: Math.floor(Date.now() / 1000) },
      })
      return await token.save()
    },
    serviceToken: async (name) => {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${name}:${client.secret}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({
          ...{ grant_type: 'client_credentials', resource: audience, scope: 'files' },
        }).toString(),
      })
      const body = (await answer.json()) as { readonly access_token?: string }
      if (body.access_token === undefined) throw new Error(`no token: ${JSON.stringify(body)}`)
      return body.access_token
    },
    rotate: ({ keepOld }) => {
      keys = [newKey(alg), ...(keepOld ? keys : [])]
      build()
    },
    privateKey: () => {
      const [jwk] = keys
      if (jwk === undefined) throw new Error('no key')
      return { jwk: { ...jwk } as JsonWebKey, kid: String(jwk.kid) }
    },
    stop: async () => {
      if (server?.listening !== true) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    start,
  }
}

const resource = (alg: 'RS256' | 'ES256', seconds: number) => ({
  ...{ scope: 'files', audience, accessTokenFormat: 'jwt' as const, accessTokenTTL: seconds },
  jwt: { sign: { alg } },
})

function configuration(
  keys: readonly JWK[],
  alg: 'RS256' | 'ES256',
  accounts: ReadonlyMap<string, Account>,
): Configuration {
  const settings: Configuration = {
    jwks: { keys: [...keys] },
    clients: [
      {
        ...{ client_id: client.id, client_secret: client.secret },
        ...{ redirect_uris: ['https://portal.example/cb'], response_types: ['code'] },
        grant_types: ['authorization_code', 'refresh_token'],
        id_token_signed_response_alg: alg,
      },
      ...services.map((name) => ({
        ...{ client_id: name, client_secret: client.secret, redirect_uris: [], response_types: [] },
        grant_types: ['client_credentials'],
        id_token_signed_response_alg: alg,
      })),
    ],
    scopes: ['openid', 'offline_access', 'files'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => resource(alg, 3600),
      },
    },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    // Each is taken once, as Keycloak does where it is told to.
    rotateRefreshToken: true,
    extraTokenClaims: (_context, token) => {
      const sub = 'accountId' in token ? token.accountId : undefined
      const { roles = [], clientRoles = {}, extra = {} } = accounts.get(sub ?? '') ?? {}
      return {
        realm_access: { roles: sub === undefined ? ['service'] : [...roles] },
        resource_access: Object.fromEntries(
          Object.entries(clientRoles).map(([name, each]) => [name, { roles: [...each] }]),
        ),
        azp: token.clientId,
        ...extra,
      }
    },
    ttl: { AccessToken: 3600, ClientCredentials: 3600, RefreshToken: 86_400, Grant: 86_400 },
  }
  return settings
}
