import { sourceNames } from '../people/identity.js'
import { type SecondFactorUse, secondFactorUses } from '../people/second-factor.js'
import type { ServiceClients } from '../people/service-clients.js'
import { flag, integer, list, oneOf, text, url } from './kinds.js'
import { roleMap } from './roles.js'
import { type JwtSecret, jwtSecrets } from './secrets.js'
import { serviceClients } from './service-clients.js'
import { optional, plain, seconds, secret, variable } from './variable.js'

/** Who is calling: tokens of a portal's, of an OpenID provider, and of our own. */
export const callers = {
  JWT_SECRET_KEY: secret(
    'Secret the callers’ tokens are signed with (HS256), at least 32 bytes',
    text({ maxLength: 8192 }),
    { older: ['JWT_SECRET'] },
  ),
  JWT_SECRET_KEYS: secret<readonly JwtSecret[]>(
    'Several such secrets: JSON {"kid": "secret"}',
    jwtSecrets,
  ),
  JWT_USER_CLAIM: optional(
    'Claim that holds the user id; absent: sub, else user_id',
    text({ maxLength: 128 }),
    { example: 'user_id' },
  ),
  JWT_ISSUER: optional('Issuer (iss) a token must name; absent: it is not looked at', text(), {
    example: 'https://portal.example',
  }),
  JWT_AUDIENCE: optional('Audience (aud) a token must name; absent: it is not looked at', text(), {
    example: 'strongroom',
  }),
  JWT_CLOCK_TOLERANCE_SECONDS: plain(
    'How far the clocks of issuer and service may differ',
    seconds(0, 300),
    5,
  ),
  ROLE_MAP: variable<ReadonlyMap<string, readonly string[]>>(
    'Roles as they stand in tokens → roles here: JSON',
    roleMap,
    new Map(),
    { example: '{"doctor": "clinician", "records-office": ["auditor"]}' },
  ),
  SERVICE_CLIENTS: variable<ServiceClients>(
    'Services that may act for people (X-On-Behalf-Of): JSON, client → roles it may act in, actions',
    serviceClients,
    new Map(),
    { example: '{"portal-api": {"roles": ["patient"], "actions": ["view", "download"]}}' },
  ),
  LOCAL_ACCOUNTS: optional(
    'Accounts of our own, with passwords; absent: where there is no OpenID provider',
    flag,
    { example: 'true' },
  ),
  REQUIRE_SECOND_FACTOR: variable<readonly SecondFactorUse[]>(
    `What takes a second factor at login (amr): one or more of ${secondFactorUses.join(', ')}`,
    list(oneOf(secondFactorUses)),
    [],
    { example: 'emergency grants people' },
  ),
  PRIMARY_IDENTITY: optional(
    'Whose user ids stand for themselves, those of others being <source>|<id>: shared (JWT_SECRET_KEY), oidc or local; absent: the first of these that there is',
    oneOf(sourceNames),
    { example: 'oidc' },
  ),
  COOKIE_AUTH: plain(
    'Accept the access_token cookie too, and keep its session going with refresh_token',
    flag,
    false,
  ),
  OIDC_ISSUER: optional('OpenID Connect issuer', url(), {
    older: ['KEYCLOAK_ISSUER'],
    example: 'https://login.example/realms/portal',
  }),
  OIDC_AUDIENCE: optional('Audience of its tokens', text(), {
    older: ['KEYCLOAK_AUDIENCE'],
    example: 'strongroom',
  }),
  OIDC_JWKS_URI: optional('Where its keys are, if not where its metadata say', url(), {
    older: ['KEYCLOAK_JWKS_URI'],
    example: 'https://login.example/realms/portal/certs',
  }),
  OIDC_CLIENT_ID: optional('Our client there', text(), {
    older: ['KEYCLOAK_CLIENT_ID'],
    example: 'strongroom',
  }),
  OIDC_CLIENT_SECRET: secret('Its secret', text({ maxLength: 8192 }), {
    older: ['KEYCLOAK_CLIENT_SECRET'],
  }),
  OIDC_KEYS_SECONDS: plain(
    'How long after the provider withdrew a key it may still be believed',
    seconds(1, 86_400),
    300,
  ),
  OIDC_OUTAGE_SECONDS: plain(
    'How long the keys known go on while the provider does not answer',
    seconds(0, 604_800),
    43_200,
  ),
  OIDC_TIMEOUT_MS: plain(
    'Time limit of a question to the provider',
    integer(50, 60_000, 'milliseconds'),
    3000,
  ),
  KEYCLOAK_SERVER_URL: optional('Older way to name OIDC_ISSUER, with KEYCLOAK_REALM', url(), {
    example: 'https://login.example',
  }),
  KEYCLOAK_REALM: optional('See KEYCLOAK_SERVER_URL', text(), { example: 'portal' }),
  KEYCLOAK_SERVICE_ACCOUNT_EMAIL: optional(
    'E-mail under which the order service’s account acted',
    text(),
    { example: 'service@portal.example' },
  ),
}
