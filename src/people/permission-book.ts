import { randomUUID } from 'node:crypto'
import type { Actor, AuditFacts } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import type { AuditStore } from '../audit/ports.js'
import { CryptoError } from '../crypto/crypto-error.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import type { PermissionRow, PermissionStore } from './permission-ports.js'
import { mayAdminister, type PermittedTerms } from './policy.js'
import { isPersonId } from './portal-id.js'
import { spaceIdOf } from './spaces.js'

/** What somebody may do in a bucket, as it is told. */
export interface Permission {
  readonly id: string
  readonly user_id: string
  readonly bucket_name: string
  readonly prefix: string
  readonly can_read: boolean
  readonly can_write: boolean
  readonly can_delete: boolean
  readonly can_list: boolean
  readonly description: string | null
  readonly created_at: string
  readonly updated_at: string
}

export interface PermissionChange {
  readonly prefix?: string | undefined
  readonly canRead?: boolean | undefined
  readonly canWrite?: boolean | undefined
  readonly canDelete?: boolean | undefined
  readonly canList?: boolean | undefined
  readonly description?: string | null | undefined
}

export interface NewPermission extends PermissionChange {
  readonly userId: string
  readonly bucket: string
}

export interface PermissionPage {
  readonly permissions: readonly Permission[]
  readonly next: { readonly at: Date; readonly id: string } | undefined
}

/** What somebody may do somewhere in a bucket. */
export interface BucketTerms extends Omit<PermittedTerms, 'prefix'> {
  readonly bucket: string
}

interface PageWish {
  readonly limit: number
  readonly after: PermissionPage['next']
}

interface Dependencies {
  readonly db: Transactions<{ readonly permissions: PermissionStore; readonly audit: AuditStore }>
  readonly audit: AuditLog
  readonly keyRing: Pick<KeyRing, 'sealNote' | 'openNote'>
  readonly hash: Pick<IndexHash, 'of'>
  readonly buckets: readonly string[]
}

/** Who may do what in which bucket: kept by administrators. Prefixes are names: stored sealed. */
export interface PermissionBook {
  /** @throws StrongroomError `forbidden`, `invalid_field`, `conflict` where there is one of that prefix */
  create(actor: Actor, wish: NewPermission): Promise<Permission>
  list(
    actor: Actor,
    wish: PageWish & { readonly userId?: string | undefined },
  ): Promise<PermissionPage>
  /** @throws StrongroomError `forbidden`, `not_found`, `conflict` */
  update(actor: Actor, permissionId: string, wish: PermissionChange): Promise<Permission>
  remove(actor: Actor, permissionId: string): Promise<void>
  /** One's own, whoever asks. */
  mine(actor: Actor, wish: PageWish): Promise<PermissionPage>
  /** Of the buckets there are, those in which the person may do something, and what. */
  bucketsOf(userId: string): Promise<readonly BucketTerms[]>
  /** What the policy asks of a person in a bucket. */
  termsOf(userId: string, bucket: string): Promise<readonly PermittedTerms[]>
}

/** What stands sealed: a prefix is a name, and so may be what it is for. */
interface Words {
  readonly prefix: string
  readonly description: string | null
}

const about = (noteId: string) => `permission:${noteId}`
const bare = (prefix: string) => prefix.replace(/^\/+|\/+$/g, '')

export function permissionBook(use: Dependencies): PermissionBook {
  const { db, audit, hash } = use
  const permit = async (actor: Actor, facts: Pick<AuditFacts, 'action' | 'subjectId'>) => {
    const decision = mayAdminister(actor.roles)
    if (decision.allow) return
    await audit.note(actor, { ...facts, outcome: 'denied', reason: decision.code })
    throw new StrongroomError(decision.code)
  }
  const { seal, open } = sealing(use)
  const page = async ({
    limit,
    after,
    userId,
  }: PageWish & { readonly userId?: string | undefined }) => {
    const rows = await db.stores.permissions.list({ userId, limit: limit + 1, after })
    const shown = rows.slice(0, limit)
    const last = rows.length > limit ? shown.at(-1) : undefined
    return {
      permissions: await Promise.all(shown.map(async (row) => summarize(row, await open(row)))),
      next: last === undefined ? undefined : { at: last.createdAt, id: last.permissionId },
    }
  }
  const whereOf = ({ bucket }: Pick<PermissionRow, 'bucket'>, { prefix }: Words) => ({
    spaceId: spaceIdOf({ kind: 'bucket', name: bucket }),
    prefixHash: hash.of('permission-prefix', bucket, bare(prefix)),
  })
  const found = async (permissionId: string) => {
    const row = await db.stores.permissions.find(permissionId)
    if (row === undefined) throw new StrongroomError('not_found')
    return row
  }
  return {
    create: async (actor, wish) => {
      const { userId, bucket } = wish
      const facts = { action: 'permission.create', subjectId: userId } as const
      await permit(actor, facts)
      checkNew(use, wish)
      const words = { prefix: wish.prefix ?? '', description: wish.description ?? null }
      const now = new Date()
      const row: PermissionRow = {
        ...{ permissionId: randomUUID(), userId, bucket, note: await seal(bucket, words) },
        ...termsIn(wish, { canRead: true, canWrite: false, canDelete: false, canList: true }),
        ...{ createdAt: now, updatedAt: now },
      }
      await db.transaction(async (stores) => {
        if (!(await stores.permissions.insert(row, whereOf(row, words)))) throw taken()
        await stores.audit.append(auditEvent(actor, { ...facts, outcome: 'success' }))
      })
      return summarize(row, words)
    },
    list: async (actor, wish) => {
      const facts = { action: 'permission.list', subjectId: wish.userId } as const
      await permit(actor, facts)
      const result = await page(wish)
      await audit.note(actor, { ...facts, outcome: 'success' })
      return result
    },
    update: async (actor, permissionId, wish) => {
      await permit(actor, { action: 'permission.update' })
      const before = await found(permissionId)
      const old = await open(before)
      const { prefix = old.prefix, description = old.description } = wish
      const words = { prefix, description }
      checkWords(words)
      const row: PermissionRow = {
        ...{ ...before, ...termsIn(wish, before) },
        ...{ note: await seal(before.bucket, words), updatedAt: new Date() },
      }
      await db.transaction(async (stores) => {
        const where = whereOf(row, words)
        const outcome = await stores.permissions.replace(row, before.note.noteId, where)
        if (outcome !== 'done') throw taken()
        const facts = { action: 'permission.update', subjectId: row.userId } as const
        await stores.audit.append(auditEvent(actor, { ...facts, outcome: 'success' }))
      })
      return summarize(row, words)
    },
    remove: async (actor, permissionId) => {
      await permit(actor, { action: 'permission.delete' })
      const { userId } = await found(permissionId)
      await db.transaction(async (stores) => {
        if (!(await stores.permissions.remove(permissionId))) throw new StrongroomError('not_found')
        const facts = { action: 'permission.delete', subjectId: userId } as const
        await stores.audit.append(auditEvent(actor, { ...facts, outcome: 'success' }))
      })
    },
    mine: ({ userId }, wish) => page({ ...wish, userId }),
    bucketsOf: async (userId) => {
      const found = await Promise.all(
        use.buckets.map(async (bucket) => ({
          bucket,
          rows: await db.stores.permissions.of(userId, bucket),
        })),
      )
      return found
        .filter(({ rows }) => rows.length > 0)
        .map(({ bucket, rows }) => ({
          bucket,
          canRead: rows.some(({ canRead }) => canRead),
          canWrite: rows.some(({ canWrite }) => canWrite),
          canDelete: rows.some(({ canDelete }) => canDelete),
          canList: rows.some(({ canList }) => canList),
        }))
    },
    termsOf: async (userId, bucket) => {
      const rows = await db.stores.permissions.of(userId, bucket)
      return await Promise.all(
        rows.map(async (row) => ({ ...row, prefix: bare((await open(row)).prefix) })),
      )
    },
  }
}

/** Under the key of the bucket. */
function sealing({ keyRing }: Pick<Dependencies, 'keyRing'>) {
  const spaceOf = (bucket: string) => spaceIdOf({ kind: 'bucket', name: bucket })
  return {
    seal: async (bucket: string, words: Words) => {
      const noteId = randomUUID()
      const note = await keyRing.sealNote(spaceOf(bucket), about(noteId), JSON.stringify(words))
      return { noteId, ...note }
    },
    open: async ({ bucket, note }: Pick<PermissionRow, 'bucket' | 'note'>): Promise<Words> => {
      try {
        const text = await keyRing.openNote(spaceOf(bucket), about(note.noteId), note)
        return JSON.parse(text) as Words
      } catch (cause) {
        if (!(cause instanceof CryptoError)) throw cause
        throw new StrongroomError('damaged', { cause })
      }
    },
  }
}

const taken = () =>
  new StrongroomError('conflict', {
    detail: 'There is a permission of this prefix, or it was changed meanwhile.',
  })

type Terms = Pick<PermissionRow, 'canRead' | 'canWrite' | 'canDelete' | 'canList'>

function termsIn(wish: PermissionChange, before: Terms): Terms {
  return {
    canRead: wish.canRead ?? before.canRead,
    canWrite: wish.canWrite ?? before.canWrite,
    canDelete: wish.canDelete ?? before.canDelete,
    canList: wish.canList ?? before.canList,
  }
}

function checkNew({ buckets }: Pick<Dependencies, 'buckets'>, wish: NewPermission): void {
  if (!isPersonId(wish.userId)) {
    throw new StrongroomError('invalid_field', { detail: 'user_id: the id of a person' })
  }
  if (!buckets.includes(wish.bucket)) {
    throw new StrongroomError('invalid_field', { detail: 'bucket_name: one of BUCKETS' })
  }
  checkWords({ prefix: wish.prefix ?? '', description: wish.description ?? null })
}

const maxPrefix = 1_024

function checkWords({ prefix, description }: Words): void {
  const isPlain = !/[\p{Cc}\p{Cs}]/u.test(prefix) && !bare(prefix).split('/').includes('..')
  if (prefix.length > maxPrefix || !isPlain) {
    throw new StrongroomError('invalid_field', { detail: 'prefix: of object keys' })
  }
  if ((description ?? '').length > maxPrefix) {
    throw new StrongroomError('invalid_field', { detail: 'description: at most 1024 characters' })
  }
}

function summarize(row: PermissionRow, { prefix, description }: Words): Permission {
  return {
    ...{ id: row.permissionId, user_id: row.userId, bucket_name: row.bucket, prefix, description },
    ...{ can_read: row.canRead, can_write: row.canWrite },
    ...{ can_delete: row.canDelete, can_list: row.canList },
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
}
