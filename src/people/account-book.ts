import { randomUUID } from 'node:crypto'
import type { Actor, AuditFacts } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import type { AuditStore } from '../audit/ports.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { Transactions } from '../ports/transactions.js'
import type { AccountCursor, AccountRow, AccountStore } from './account-ports.js'
import type { AccountFacts, AccountSecrets } from './account-secrets.js'
import { checkStrength, isPasswordHash, type Passwords } from './passwords.js'
import { mayAdminister } from './policy.js'
import { isPersonId } from './portal-id.js'
import type { Role } from './roles.js'

/** An account as those who keep them, and its person, see it. */
export interface Account {
  readonly id: string
  readonly email: string
  readonly full_name: string | null
  readonly is_active: boolean
  readonly is_admin: boolean
  readonly roles: readonly Role[]
  readonly has_totp: boolean
  readonly created_at: string
  readonly updated_at: string
  readonly last_login: string | null
}

export interface AccountWish {
  readonly email?: string | undefined
  readonly fullName?: string | null | undefined
  readonly password?: string | undefined
  readonly isActive?: boolean | undefined
  /** The same as the role `admin`. */
  readonly isAdmin?: boolean | undefined
  readonly roles?: readonly Role[] | undefined
  /** False takes the second factor away, of somebody who lost it. */
  readonly hasTotp?: false | undefined
}

export interface NewAccountWish extends AccountWish {
  readonly email: string
  /** One of an older service, in place of a password. */
  readonly passwordHash?: string | undefined
}

export interface AccountPage {
  readonly accounts: readonly Account[]
  /** Ids of those that are there and cannot be opened. */
  readonly damaged: readonly string[]
  readonly next: AccountCursor | undefined
}

export interface AccountStores {
  readonly accounts: AccountStore
  readonly audit: AuditStore
}

export interface AccountDependencies {
  readonly db: Transactions<AccountStores>
  readonly audit: AuditLog
  readonly hash: Pick<IndexHash, 'of'>
  readonly secrets: AccountSecrets
  readonly passwords: Passwords
}

interface Dependencies extends AccountDependencies {
  /** The id of somebody new. */
  readonly newId: (uuid: string) => string
}

/** Keeping the accounts: administrators alone, each change on record. */
export interface AccountBook {
  /** @throws StrongroomError `forbidden`, `email_taken`, `weak_password`, `invalid_field` */
  create(actor: Actor, wish: NewAccountWish): Promise<Account>
  list(
    actor: Actor,
    page: { readonly limit: number; readonly after: AccountCursor | undefined },
  ): Promise<AccountPage>
  /** @throws StrongroomError `forbidden`, `not_found`, `damaged` */
  one(actor: Actor, userId: string): Promise<Account>
  /** A password that is set, and being deactivated, end all tokens. @throws also `conflict` */
  update(actor: Actor, userId: string, wish: AccountWish): Promise<Account>
  /** It stays, and so does what is on record of it; nobody gets in by it. */
  deactivate(actor: Actor, userId: string): Promise<Account>
}

export function accountBook(use: Dependencies): AccountBook {
  const { db, audit, secrets } = use
  const permit = async (actor: Actor, facts: Pick<AuditFacts, 'action' | 'subjectId'>) => {
    const decision = mayAdminister(actor.roles)
    if (decision.allow) return
    await audit.note(actor, { ...facts, outcome: 'denied', reason: decision.code })
    throw new StrongroomError(decision.code)
  }
  const found = async (userId: string) => {
    const row = isPersonId(userId) ? await db.stores.accounts.find(userId) : undefined
    if (row === undefined) throw new StrongroomError('not_found')
    return row
  }
  const update: AccountBook['update'] = async (actor, userId, wish) => {
    const action = wish.isActive === false ? 'account.deactivate' : 'account.update'
    await permit(actor, { action, subjectId: userId })
    const row = await found(userId)
    const before = await secrets.open(row)
    const facts = await changed(use, before, wish)
    if (userId === actor.userId && (!facts.isActive || !facts.roles.includes('admin'))) {
      throw new StrongroomError('conflict', {
        detail: 'Nobody takes their own rights as an administrator away: another one does.',
      })
    }
    const endsTokens = wish.password !== undefined || (before.isActive && !facts.isActive)
    await change(use, actor, { row, facts, endsTokens, action })
    return summarize(await found(userId), facts)
  }
  return {
    update,
    deactivate: (actor, userId) => update(actor, userId, { isActive: false }),
    create: async (actor, wish) => {
      await permit(actor, { action: 'account.create' })
      return await createAccount(use, actor, wish)
    },
    list: async (actor, { limit, after }) => {
      await permit(actor, { action: 'account.list' })
      const rows = await db.stores.accounts.list({ limit: limit + 1, after })
      const page = rows.slice(0, limit)
      const opened = await Promise.all(page.map((row) => openOrDamaged(secrets, row)))
      await audit.note(actor, { action: 'account.list', outcome: 'success' })
      const last = rows.length > limit ? page.at(-1) : undefined
      return {
        accounts: opened.filter((each) => typeof each !== 'string'),
        damaged: opened.filter((each) => typeof each === 'string'),
        next: last === undefined ? undefined : { at: last.createdAt, id: last.userId.slice(-36) },
      }
    },
    one: async (actor, userId) => {
      await permit(actor, { action: 'account.read', subjectId: userId })
      const row = await found(userId)
      const account = summarize(row, await secrets.open(row))
      await audit.note(actor, { action: 'account.read', outcome: 'success', subjectId: userId })
      return account
    },
  }
}

async function openOrDamaged(secrets: AccountSecrets, row: AccountRow): Promise<Account | string> {
  try {
    return summarize(row, await secrets.open(row))
  } catch (error) {
    if (!isStrongroomError(error, 'damaged')) throw error
    return row.userId
  }
}

/** Makes an account: for whoever may. */
export async function createAccount(
  use: Dependencies,
  actor: Actor,
  wish: NewAccountWish,
): Promise<Account> {
  const { db, secrets, newId } = use
  const facts = await changed(use, nobody, wish)
  if (facts.passwordHash === '') {
    throw new StrongroomError('invalid_field', { detail: 'password: expected' })
  }
  const userId = newId(randomUUID())
  const note = await secrets.seal(userId, facts)
  const createdAt = new Date()
  const emailHash = emailHashOf(use.hash, facts.email)
  await db.transaction(async (stores) => {
    const isNew = await stores.accounts.insert({ userId, emailHash, note, createdAt })
    if (!isNew) throw new StrongroomError('email_taken')
    await stores.audit.append(
      auditEvent(actor, { action: 'account.create', outcome: 'success', subjectId: userId }),
    )
  })
  return summarize(
    { userId, note, tokenEpoch: 1, createdAt, updatedAt: createdAt, lastLoginAt: null },
    facts,
  )
}

/** Seals what an account says now in place of what it said. @throws StrongroomError `email_taken`, `conflict` */
export async function change(
  { db, hash, secrets }: Pick<AccountDependencies, 'db' | 'hash' | 'secrets'>,
  actor: Actor,
  {
    row,
    facts,
    endsTokens,
    action,
  }: {
    readonly row: AccountRow
    readonly facts: AccountFacts
    readonly endsTokens: boolean
    readonly action: AuditFacts['action']
  },
): Promise<void> {
  const { userId } = row
  const note = await secrets.seal(userId, facts)
  const emailHash = emailHashOf(hash, facts.email)
  const at = new Date()
  await db.transaction(async (stores) => {
    const outcome = await stores.accounts.change({
      ...{ userId, was: row.note.noteId, note, emailHash, endsTokens, at },
    })
    if (outcome === 'email_taken') throw new StrongroomError('email_taken')
    if (outcome === 'changed') {
      throw new StrongroomError('conflict', { detail: 'The account was changed meanwhile.' })
    }
    await stores.audit.append(auditEvent(actor, { action, outcome: 'success', subjectId: userId }))
  })
}

const nobody: AccountFacts = {
  ...{ email: '', fullName: null, roles: [], isActive: true, passwordHash: '' },
  ...{ totpSecret: null, totpBegun: null },
}

async function changed(
  { passwords }: Pick<AccountDependencies, 'passwords'>,
  before: AccountFacts,
  wish: AccountWish & { readonly passwordHash?: string | undefined },
): Promise<AccountFacts> {
  const email = wish.email === undefined ? before.email : emailOf(wish.email)
  const fullName = wish.fullName === undefined ? before.fullName : wish.fullName
  const facts = {
    ...before,
    ...{ email, fullName, roles: rolesOf(before.roles, wish) },
    isActive: wish.isActive ?? before.isActive,
    ...(wish.hasTotp === false ? { totpSecret: null, totpBegun: null } : {}),
  }
  if (wish.passwordHash !== undefined) {
    if (!isPasswordHash(wish.passwordHash)) {
      throw new StrongroomError('invalid_field', { detail: 'password_hash: bcrypt or Argon2id' })
    }
    return { ...facts, passwordHash: wish.passwordHash }
  }
  if (wish.password === undefined) return facts
  await checkStrength(wish.password, [email, fullName ?? ''])
  return { ...facts, passwordHash: await passwords.hash(wish.password) }
}

function rolesOf(before: readonly Role[], { roles, isAdmin }: AccountWish): readonly Role[] {
  const wished = roles ?? before
  if (isAdmin === undefined) return wished
  const others = wished.filter((role) => role !== 'admin')
  return isAdmin ? [...others, 'admin'] : others
}

/** What people are told of an account. */
export function summarize(row: AccountRow, facts: AccountFacts): Account {
  return {
    id: row.userId,
    email: facts.email,
    full_name: facts.fullName,
    is_active: facts.isActive,
    is_admin: facts.roles.includes('admin'),
    roles: facts.roles,
    has_totp: facts.totpSecret !== null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    last_login: row.lastLoginAt?.toISOString() ?? null,
  }
}

const maxEmail = 254

/** @throws StrongroomError `invalid_field` */
function emailOf(text: string): string {
  const email = text.trim()
  // RFC 5321 section 4.5.3.1: no longer; what else an address may be its server says.
  if (email.length > maxEmail || !/^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]+$/u.test(email)) {
    throw new StrongroomError('invalid_field', { detail: 'email: an e-mail address' })
  }
  return email
}

/** One person has one account, however their address is written. */
export function emailHashOf(hash: Pick<IndexHash, 'of'>, email: string): Buffer {
  return hash.of('account-email', email.trim().normalize('NFKC').toLowerCase())
}
