import { randomUUID } from 'node:crypto'
import type { Actor, AuditAction } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { isPortalId } from '../people/portal-id.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores, RecordType } from './ports.js'
import { requireAdmin } from './require-admin.js'

const MIB = 1_048_576

/** What an administrator says of a type; what is left out has its default, also when it is changed. */
export interface RecordTypeWish {
  readonly name: string
  readonly allowed_types?: readonly string[] | undefined
  readonly max_size_mb?: number | null | undefined
  readonly retention_days?: number | null | undefined
  readonly sensitive?: boolean | undefined
}

export interface RecordTypeSummary {
  readonly id: string
  readonly name: string
  readonly allowed_types: string[]
  readonly max_size_mb: number | null
  readonly retention_days: number | null
  readonly sensitive: boolean
}

export interface RecordTypes {
  list(): Promise<RecordTypeSummary[]>
  create(actor: Actor, wish: RecordTypeWish): Promise<RecordTypeSummary>
  /** Puts `wish` in place of what is there. @throws StrongroomError `not_found` */
  update(actor: Actor, id: string, wish: RecordTypeWish): Promise<RecordTypeSummary>
  /** @throws StrongroomError `not_found`; `conflict` where there are records of it */
  remove(actor: Actor, id: string): Promise<void>
}

interface Dependencies {
  readonly db: Transactions<Pick<RecordStores, 'types' | 'audit'>>
  readonly audit: AuditLog
}

/** The kinds of medical records: everyone reads them, administrators keep them. */
export function recordTypes({ db, audit }: Dependencies): RecordTypes {
  const change = async <T>(
    actor: Actor,
    action: AuditAction,
    typeId: string,
    work: (stores: Pick<RecordStores, 'types'>) => Promise<T>,
  ): Promise<T> => {
    const subjectId = isPortalId(typeId) ? typeId : undefined
    await requireAdmin(audit, actor, { action, subjectId })
    if (subjectId === undefined) throw new StrongroomError('not_found')
    return await db.transaction(async (stores) => {
      const done = await work(stores)
      await stores.audit.append(auditEvent(actor, { action, outcome: 'success', subjectId }))
      return done
    })
  }
  return {
    list: async () => (await db.stores.types.all()).map(summarizeType),
    create: async (actor, wish) => {
      const type = typeOf(randomUUID(), wish)
      return await change(actor, 'record_type.create', type.id, async ({ types }) => {
        if (!(await types.insert(type))) throw new StrongroomError('conflict')
        return summarizeType(type)
      })
    },
    update: async (actor, id, wish) =>
      await change(actor, 'record_type.update', id, async ({ types }) => {
        const type = typeOf(id, wish)
        if (!(await types.update(type))) throw new StrongroomError('not_found')
        return summarizeType(type)
      }),
    remove: async (actor, id) => {
      await change(actor, 'record_type.delete', id, async ({ types }) => {
        const outcome = await types.remove(id)
        if (outcome === 'unknown') throw new StrongroomError('not_found')
        if (outcome === 'used') {
          throw new StrongroomError('conflict', { detail: 'There are records of this type.' })
        }
      })
    },
  }
}

function typeOf(id: string, wish: RecordTypeWish): RecordType {
  const mebibytes = wish.max_size_mb ?? null
  return {
    id,
    name: wish.name,
    allowedTypes: wish.allowed_types ?? [],
    maxBytes: mebibytes === null ? null : Math.round(mebibytes * MIB),
    retentionDays: wish.retention_days ?? null,
    sensitive: wish.sensitive ?? false,
  }
}

function summarizeType(type: RecordType): RecordTypeSummary {
  return {
    id: type.id,
    name: type.name,
    allowed_types: [...type.allowedTypes],
    max_size_mb: type.maxBytes === null ? null : type.maxBytes / MIB,
    retention_days: type.retentionDays,
    sensitive: type.sensitive,
  }
}
