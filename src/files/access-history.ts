import type { EventCursor, EventQuery, LoggedAccess } from '../audit/ports.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import type { FileStores } from './ports.js'

/** One access as owner or patient see it; ranges of one reading are one. */
export interface AccessEntry {
  readonly at: string
  readonly last_at: string
  readonly requests: number
  readonly action: string
  readonly outcome: string
  readonly reason: string | null
  readonly actor_id: string
  readonly on_behalf_of: string | null
  readonly roles: string[]
  readonly file_id: string | null
  readonly subject_id: string | null
  readonly version: number | null
  readonly bytes: number | null
  readonly grant_id: string | null
  readonly emergency_id: string | null
  readonly basis: string | null
  /** Of the grant; of an emergency the reason given. */
  readonly purpose: string | null
  readonly ip: string
  readonly user_agent: string
  readonly request_id: string
}

export interface AccessPage {
  readonly entries: AccessEntry[]
  readonly next: EventCursor | undefined
}

export type AccessHistory = (query: EventQuery, ownerId: string) => Promise<AccessPage>

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'audit'>>
  readonly keyRing: Pick<KeyRing, 'openNote'>
  /** Why that emergency access was needed; null once the patient's keys were destroyed. */
  readonly reasonOf: (emergencyId: string) => Promise<string | null>
}

/** Accesses, newest first, with the purposes they rested on opened for their owner. */
export function accessHistory({ db, keyRing, reasonOf }: Dependencies): AccessHistory {
  const purposeOf = async ({ emergencyId, grantId, purpose }: LoggedAccess, ownerId: string) => {
    if (emergencyId !== undefined) return await reasonOf(emergencyId)
    return purpose === undefined || grantId === undefined
      ? null
      : await keyRing.openNote(ownerId, grantId, purpose)
  }

  return async (query, ownerId) => {
    const found = await db.stores.audit.accesses({ ...query, limit: query.limit + 1 })
    const page = found.slice(0, query.limit)
    const entries: AccessEntry[] = []
    for (const access of page) entries.push(entryOf(access, await purposeOf(access, ownerId)))
    const last = page.at(-1)
    const next =
      found.length > query.limit && last !== undefined
        ? { at: last.at, id: last.eventId }
        : undefined
    return { entries, next }
  }
}

function entryOf(access: LoggedAccess, purpose: string | null): AccessEntry {
  return {
    at: access.at.toISOString(),
    last_at: access.lastAt.toISOString(),
    requests: access.requests,
    action: access.action,
    outcome: access.outcome,
    reason: access.reason ?? null,
    actor_id: access.actorId,
    on_behalf_of: access.onBehalfOf ?? null,
    roles: [...access.roles],
    file_id: access.fileId ?? null,
    subject_id: access.subjectId ?? null,
    version: access.version ?? null,
    bytes: access.bytes ?? null,
    grant_id: access.grantId ?? null,
    emergency_id: access.emergencyId ?? null,
    basis: access.emergencyId === undefined ? (access.basis ?? null) : 'emergency',
    purpose,
    ip: access.ip,
    user_agent: access.userAgent,
    request_id: access.requestId,
  }
}
