import type { Actor } from '../audit/audit-events.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import {
  type Account,
  type AccountDependencies,
  change,
  emailHashOf,
  summarize,
} from './account-book.js'
import type { AccountRow } from './account-ports.js'
import type { AccountFacts } from './account-secrets.js'
import type { Identity } from './identity.js'
import { type LocalClaims, type Login, localClaims, TOKEN_SECONDS } from './local-tokens.js'
import type { LoginThrottle } from './login-throttle.js'
import { checkStrength, isOutdated } from './passwords.js'
import { newTotp, totpStep } from './totp.js'

export interface Credentials {
  readonly email: string
  readonly password: string
  /** The code of the second factor. */
  readonly code?: string | undefined
}

/** A token of our own, as its person holds it. */
export interface HeldToken {
  readonly identity: Identity
  readonly claims: Readonly<Record<string, unknown>>
}

/** What people do with an account of their own. */
export interface Logins {
  /**
   * What a token says for whoever has the password. It takes as long, and says the same, for an account that
   * is not there, and one that is not active.
   * @throws StrongroomError `wrong_credentials`, `second_factor_needed`, `too_many_requests`
   */
  login(caller: Actor, credentials: Credentials): Promise<LocalClaims>
  /** @throws StrongroomError `forbidden` with a token that is none of ours, `token_expired` after 12 hours */
  renew(actor: Actor, token: HeldToken): Promise<LocalClaims>
  /** Undefined: known to another source. */
  me(actor: Actor): Promise<Account | undefined>
  /** @throws StrongroomError `forbidden` with a token that is none of ours: its issuer ends it */
  logout(actor: Actor, token: HeldToken, everywhere: boolean): Promise<void>
  /** A browser forgets a session of another source's. */
  forget(actor: Actor): Promise<void>
  /** All tokens end; what a new one says. @throws StrongroomError `wrong_credentials`, `weak_password` */
  changePassword(
    actor: Actor,
    token: HeldToken,
    passwords: { readonly current: string; readonly next: string },
  ): Promise<LocalClaims>
  /** The secret, which counts once a code of it was given. */
  beginTotp(actor: Actor): Promise<{ readonly secret: string; readonly url: string }>
  /** @throws StrongroomError `wrong_credentials`, `conflict` where none was begun */
  confirmTotp(actor: Actor, code: string): Promise<void>
  /** @throws StrongroomError `wrong_credentials`, `conflict` where there is none */
  removeTotp(actor: Actor, code: string): Promise<void>
}

interface Dependencies extends AccountDependencies {
  readonly throttle: LoginThrottle
}

export function logins(use: Dependencies): Logins {
  const { db, audit, secrets, passwords, throttle } = use
  const own = async ({ userId }: Actor) => {
    const row = await db.stores.accounts.find(userId)
    if (row === undefined) {
      throw new StrongroomError('forbidden', { detail: 'There is no account of yours here.' })
    }
    return { row, facts: await secrets.open(row) }
  }
  const useCode = async (row: AccountRow, secret: string, code: string) => {
    const step = totpStep(secret, code, new Date())
    return step !== undefined && (await db.stores.accounts.useTotpStep(row.userId, step))
  }
  const refuse = async (
    caller: Actor,
    code: 'wrong_credentials' | 'second_factor_needed',
    row?: AccountRow,
  ) => {
    const facts = { outcome: 'denied', reason: code, subjectId: row?.userId } as const
    await audit.note(caller, { action: 'auth.login', ...facts })
    return new StrongroomError(code)
  }
  /** Somebody who is in already, and says who they are once more. */
  const again = async (actor: Actor, facts: AccountFacts, isRight: () => Promise<boolean>) => {
    const attempt = await throttle.begin(emailKey(facts.email), actor.ip)
    if (!(await isRight())) throw await refuse(actor, 'wrong_credentials')
    await attempt.succeeded()
  }
  return {
    login: async (caller, { email, password, code }) => {
      const attempt = await throttle.begin(emailKey(email), caller.ip)
      const row = await db.stores.accounts.findByEmail(emailHashOf(use.hash, email))
      const facts = await openIntact(use, row)
      const isRight = await passwords.matches(password, facts?.passwordHash)
      if (!isRight || row === undefined || facts?.isActive !== true) {
        throw await refuse(caller, 'wrong_credentials', row)
      }
      if (facts.totpSecret !== null) {
        if (code === undefined) {
          await attempt.undecided()
          throw await refuse(caller, 'second_factor_needed', row)
        }
        if (!(await useCode(row, facts.totpSecret, code))) {
          throw await refuse(caller, 'wrong_credentials', row)
        }
      }
      await attempt.succeeded()
      const who = { ...caller, userId: row.userId, roles: facts.roles }
      if (isOutdated(facts.passwordHash)) await upgrade(use, who, { row, facts, password })
      const methods = facts.totpSecret === null ? ['pwd'] : ['pwd', 'otp']
      await audit.note(who, { action: 'auth.login', outcome: 'success' })
      await db.stores.accounts.noteLogin(row.userId, new Date())
      return claimsOf({ userId: row.userId, epoch: row.tokenEpoch, methods, authTime: seconds() })
    },
    renew: async (actor, token) => {
      const { row } = await own(actor)
      const claims = claimsOf({ ...loginOf(token), userId: row.userId, epoch: row.tokenEpoch })
      await audit.note(actor, { action: 'auth.renew', outcome: 'success' })
      return claims
    },
    me: async (actor) => {
      const row = await db.stores.accounts.find(actor.userId)
      return row === undefined ? undefined : summarize(row, await secrets.open(row))
    },
    logout: async (actor, token, everywhere) => {
      const { jti, exp } = token.claims
      const until = typeof exp === 'number' ? exp : seconds() + TOKEN_SECONDS
      const { row } = await own(actor)
      if (everywhere) await db.stores.accounts.endTokens(row.userId)
      else await db.stores.accounts.endToken(String(jti), new Date(until * 1_000))
      const reason = everywhere ? 'everywhere' : undefined
      await audit.note(actor, { action: 'auth.logout', outcome: 'success', reason })
    },
    forget: (actor) =>
      audit.note(actor, { action: 'auth.logout', outcome: 'success', reason: 'cookies' }),
    changePassword: async (actor, token, { current, next }) => {
      const { row, facts } = await own(actor)
      await again(actor, facts, () => passwords.matches(current, facts.passwordHash))
      await checkStrength(next, [facts.email, facts.fullName ?? ''])
      const passwordHash = await passwords.hash(next)
      await change(use, actor, {
        ...{ row, facts: { ...facts, passwordHash }, endsTokens: true },
        action: 'auth.password_change',
      })
      return claimsOf({ ...loginOf(token), userId: row.userId, epoch: row.tokenEpoch + 1 })
    },
    beginTotp: async (actor) => {
      const { row, facts } = await own(actor)
      if (facts.totpSecret !== null) throw new StrongroomError('conflict')
      const { secret, url } = newTotp(facts.email)
      await change(use, actor, {
        ...{ row, facts: { ...facts, totpBegun: secret }, endsTokens: false },
        action: 'auth.totp_begin',
      })
      return { secret, url }
    },
    confirmTotp: async (actor, code) => {
      const { row, facts } = await own(actor)
      const { totpBegun } = facts
      if (totpBegun === null) throw new StrongroomError('conflict')
      await again(actor, facts, () => useCode(row, totpBegun, code))
      await change(use, actor, {
        ...{ row, facts: { ...facts, totpSecret: totpBegun, totpBegun: null }, endsTokens: false },
        action: 'auth.totp_set',
      })
    },
    removeTotp: async (actor, code) => {
      const { row, facts } = await own(actor)
      const { totpSecret } = facts
      if (totpSecret === null) throw new StrongroomError('conflict')
      await again(actor, facts, () => useCode(row, totpSecret, code))
      await change(use, actor, {
        ...{ row, facts: { ...facts, totpSecret: null }, endsTokens: false },
        action: 'auth.totp_remove',
      })
    },
  }
}

const seconds = () => Math.floor(Date.now() / 1_000)

/** As the throttle knows an account: however its address is written. */
const emailKey = (email: string) => email.trim().normalize('NFKC').toLowerCase()

function claimsOf(login: Login): LocalClaims {
  const claims = localClaims(login)
  if (claims === undefined) {
    throw new StrongroomError('token_expired', { detail: 'After 12 hours a new login is needed.' })
  }
  return claims
}

/** What a token of ours says of the login it is of. @throws StrongroomError `forbidden` */
function loginOf({ identity, claims }: HeldToken): Pick<Login, 'methods' | 'authTime'> {
  const authTime = claims['auth_time']
  if (identity.source !== 'local' || typeof authTime !== 'number') {
    throw new StrongroomError('forbidden', { detail: 'This token is another issuer’s.' })
  }
  return { methods: identity.methods, authTime }
}

/** A spoiled account lets nobody in, and looks like none. */
async function openIntact({ secrets }: Pick<Dependencies, 'secrets'>, row: AccountRow | undefined) {
  if (row === undefined) return undefined
  try {
    return await secrets.open(row)
  } catch (error) {
    if (!isStrongroomError(error, 'damaged')) throw error
    return undefined
  }
}

/** Hashes the password as it is done now. Where the account is being changed, the next login does it. */
async function upgrade(
  use: Dependencies,
  actor: Actor,
  {
    row,
    facts,
    password,
  }: { readonly row: AccountRow; readonly facts: AccountFacts; readonly password: string },
): Promise<void> {
  try {
    const passwordHash = await use.passwords.hash(password)
    await change(use, actor, {
      ...{ row, facts: { ...facts, passwordHash }, endsTokens: false },
      action: 'auth.password_upgrade',
    })
  } catch (error) {
    if (!isStrongroomError(error, 'conflict')) throw error
  }
}
