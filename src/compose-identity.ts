import { Agent } from 'undici'
import type { Actor } from './audit/audit-events.js'
import type { AuditLog } from './audit/audit-log.js'
import type { Config, JwtSecret } from './config.js'
import type { AllStores } from './db/stores.js'
import { oidcKeys } from './integrations/oidc-keys.js'
import { maxAnswerBytes, oidcMetadata } from './integrations/oidc-metadata.js'
import { oidcRefresh } from './integrations/oidc-refresh.js'
import type { IndexHash } from './keys/index-hash.js'
import type { KeyRing } from './keys/key-ring.js'
import { accountBook, createAccount, type NewAccountWish } from './people/account-book.js'
import { accountSecrets } from './people/account-secrets.js'
import { type IdentityRules, idOf, type SourceName } from './people/identity.js'
import { localTokenKey, localTokens } from './people/local-tokens.js'
import { logins } from './people/login.js'
import { loginThrottle } from './people/login-throttle.js'
import { oidcTokens } from './people/oidc-tokens.js'
import { passwords } from './people/passwords.js'
import { permissionBook } from './people/permission-book.js'
import type { SessionRefresh } from './people/ports.js'
import { sharedTokens } from './people/shared-tokens.js'
import type { TokenSource } from './people/token-source.js'
import type { SharedAnswers } from './ports/shared-ports.js'
import type { Transactions } from './ports/transactions.js'
import type { WorkLog } from './ports/work-log.js'
import type { TicketLogin } from './tickets/ports.js'

interface Parts {
  readonly config: Config
  readonly jwtSecrets: readonly JwtSecret[]
  readonly db: Transactions<AllStores>
  readonly audit: AuditLog
  readonly hash: IndexHash
  readonly keyRing: KeyRing
  readonly log: WorkLog
  readonly answers: SharedAnswers | undefined
}

/** How often attempts and tokens that are of no more use are removed. */
const TIDY_EVERY_MS = 3_600_000
const TIDY_LOGINS = 'tidy-logins'

/** Whose tokens are believed, and where sessions of browsers are kept going. */
export interface Callers {
  readonly sources: readonly TokenSource[]
  readonly session: SessionRefresh | undefined
  close(): Promise<void>
}

function wireCallers(
  { config, jwtSecrets, log, answers }: Parts,
  local: TokenSource | undefined,
  primary: SourceName,
): Callers {
  const { jwt, oidc, roleMap } = config
  const { issuer } = oidc
  const identity = (source: SourceName): IdentityRules => ({
    ...{ source, roleMap, isPrimary: source === primary, userClaim: jwt.userClaim },
    roleClients: [oidc.clientId, oidc.audience].filter((client) => client !== undefined),
  })
  const { audience } = jwt
  const shared = sharedTokens({
    ...{ identity: identity('shared'), secrets: jwtSecrets, issuer: jwt.issuer, audience },
  })
  const sources = [
    ...(local === undefined ? [] : [local]),
    ...(jwtSecrets.length === 0 ? [] : [shared]),
  ]
  if (issuer === undefined) {
    return { sources, session: undefined, close: () => Promise.resolve() }
  }
  const agent = new Agent({ connections: 8, maxResponseSize: maxAnswerBytes })
  const { clientId, clientSecret, jwksUri, timeoutMs } = oidc
  const metadata = oidcMetadata({ issuer, jwksUri, timeoutMs, agent })
  const keys = oidcKeys({ ...oidc, metadata, agent, log })
  return {
    sources: [
      ...sources,
      oidcTokens({ identity: identity('oidc'), issuer, audience: oidc.audience, clientId, keys }),
    ],
    session:
      clientId === undefined
        ? undefined
        : oidcRefresh({ metadata, agent, timeoutMs, clientId, clientSecret, log, answers }),
    close: async () => {
      await keys.close()
      await agent.close()
    },
  }
}

/** Who is calling: the sources of identity there are, accounts of our own, and what people may do in buckets. */
export function wireIdentity(parts: Parts) {
  const { config, jwtSecrets, db, audit, hash, keyRing } = parts
  const { jwt, oidc, accounts: hasAccounts, documents } = config
  const there: SourceName[] = [
    ...(jwtSecrets.length > 0 ? (['shared'] as const) : []),
    ...(oidc.issuer === undefined ? [] : (['oidc'] as const)),
    'local',
  ]
  const primary = jwt.primary ?? there[0] ?? 'local'
  const secrets = accountSecrets(keyRing)
  const key = localTokenKey(hash)
  const keeping = { db, audit, hash, secrets, passwords: passwords() }
  const newId = (id: string) => idOf(id, { source: 'local', isPrimary: primary === 'local' })
  const local = hasAccounts ? localTokens({ key, db, secrets }) : undefined
  return {
    callers: wireCallers(parts, local, primary),
    people: {
      logins: logins({ ...keeping, throttle: loginThrottle({ db, hash }) }),
      accounts: accountBook({ ...keeping, newId }),
      permissions: permissionBook({ db, audit, keyRing, hash, buckets: documents.buckets }),
      localTokenKey: key,
      hasAccounts,
    },
    /** Today's roles of an account of ours, while the login a token came from goes on. */
    rolesOf: async ({ subject, tokenId, epoch }: TicketLogin) =>
      (await local?.identify({ sub: subject, jti: tokenId, epoch }))?.roles,
    createAccount: (actor: Actor, wish: NewAccountWish) =>
      createAccount({ ...keeping, newId }, actor, wish),
    jobHandlers: { [TIDY_LOGINS]: () => db.stores.logins.tidy(new Date()) },
    recurring: [{ kind: TIDY_LOGINS, everyMs: TIDY_EVERY_MS }],
  }
}
