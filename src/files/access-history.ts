import { accessesByMonth } from '../audit/accesses-by-month.js'
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

export type AccessQuery = Omit<EventQuery, 'limit'>

/** Who did what with a file or with a patient's records, newest first, for the one it belongs to. */
export interface AccessHistory {
  page(query: EventQuery, ownerId: string): Promise<AccessPage>
  /** All of it, in pages inside. */
  stream(query: AccessQuery, ownerId: string): AsyncGenerator<AccessEntry, void>
}

interface Dependencies {
  readonly db: Transactions<Pick<FileStores, 'audit'>>
  readonly purposeOf: PurposeOf
}

/** What an access rested on in words: a grant's purpose, or the reason of an emergency. */
export type PurposeOf = (access: LoggedAccess, ownerId: string) => Promise<string | null>

export function purposes({
  keyRing,
  reasonOf,
}: {
  readonly keyRing: Pick<KeyRing, 'openNote'>
  /** Why that emergency access was needed; null once the patient's keys were destroyed. */
  readonly reasonOf: (emergencyId: string) => Promise<string | null>
}): PurposeOf {
  return async ({ emergencyId, grantId, purpose }, ownerId) => {
    if (emergencyId !== undefined) return await reasonOf(emergencyId)
    return purpose === undefined || grantId === undefined
      ? null
      : await keyRing.openNote(ownerId, grantId, purpose)
  }
}

export function accessHistory({ db, purposeOf }: Dependencies): AccessHistory {
  async function* stream(query: AccessQuery, ownerId: string): AsyncGenerator<AccessEntry, void> {
    for await (const access of accessesByMonth(db.stores.audit, query)) {
      yield entryOf(access, await purposeOf(access, ownerId))
    }
  }
  return {
    stream,
    page: async ({ limit, ...query }, ownerId) => {
      const entries: AccessEntry[] = []
      let last: EventCursor | undefined
      for await (const access of accessesByMonth(db.stores.audit, query)) {
        if (entries.length === limit) return { entries, next: last }
        entries.push(entryOf(access, await purposeOf(access, ownerId)))
        last = { at: access.at, id: access.eventId }
      }
      return { entries, next: undefined }
    },
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
