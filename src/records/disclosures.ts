import { accessesByMonth } from '../audit/accesses-by-month.js'
import type { Actor, AuditAction } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { AuditStore, EventCursor, LoggedAccess } from '../audit/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { PurposeOf } from '../files/access-history.js'
import type { FileStore } from '../files/ports.js'
import { mayReadDisclosures } from '../people/policy.js'
import type { Transactions } from '../ports/transactions.js'

/** One time that a patient's record was opened by, or to, somebody else; ranges of one reading are one. */
export interface Disclosure {
  readonly at: string
  readonly last_at: string
  readonly requests: number
  readonly action: string
  /** Who received it: whoever read, or whoever was given access. */
  readonly recipient_id: string
  readonly recipient_roles: string[]
  /** Who gave access, where that is somebody else. */
  readonly disclosed_by: string | null
  readonly on_behalf_of: string | null
  readonly file_id: string | null
  readonly version: number | null
  readonly medical_record_type_id: string | null
  readonly basis: string | null
  readonly grant_id: string | null
  readonly emergency_id: string | null
  readonly has_purpose: boolean
  /** For the patient alone. */
  readonly purpose: string | null
}

export interface DisclosureWish {
  readonly patientId: string
  readonly from?: Date | undefined
  readonly to?: Date | undefined
  readonly after?: EventCursor | undefined
}

export interface DisclosurePage {
  readonly disclosures: Disclosure[]
  readonly next: EventCursor | undefined
}

/**
 * Accounting of disclosures (45 CFR 164.528): of the last six years where nothing else is asked for. Wider
 * than the rule asks: treatment is in it too, with what it rested on.
 * @throws StrongroomError `forbidden` for others than the patient, auditors and administrators; on record
 */
export interface Disclosures {
  page(actor: Actor, wish: DisclosureWish, limit: number): Promise<DisclosurePage>
  /** All of it; resolves once the reading is on record. */
  stream(actor: Actor, wish: DisclosureWish): Promise<AsyncGenerator<Disclosure, void>>
}

interface Dependencies {
  readonly db: Transactions<{
    readonly audit: AuditStore
    readonly files: Pick<FileStore, 'find'>
  }>
  readonly audit: AuditLog
  readonly purposeOf: PurposeOf
}

const YEARS = 6
const actions: readonly AuditAction[] = [
  'record.view',
  'record.download',
  'record.grant',
  'record.team_grant',
]
/** In these whoever is named got access; in the others whoever acted. */
const sharing: readonly string[] = ['record.grant', 'record.team_grant']

export function disclosures({ db, audit, purposeOf }: Dependencies): Disclosures {
  const permit = async (actor: Actor, { patientId }: DisclosureWish) => {
    const isPatient = patientId === actor.userId && actor.service === undefined
    const decision = mayReadDisclosures({ roles: actor.roles, isPatient })
    const facts = { action: 'patient.disclosures_read', patientId } as const
    if (!decision.allow) {
      await audit.note(actor, { ...facts, outcome: 'denied', reason: decision.code })
      throw new StrongroomError(decision.code)
    }
    await audit.note(actor, { ...facts, outcome: 'success' })
    return { isPatient }
  }
  async function* all(wish: DisclosureWish, { isPatient }: { readonly isPatient: boolean }) {
    const { patientId, after } = wish
    const to = wish.to ?? new Date()
    const from = wish.from ?? yearsBefore(to, YEARS)
    const types = typesOf(db.stores.files)
    for await (const access of accessesByMonth(db.stores.audit, {
      ...{ patientId, from, to, actions, after },
    })) {
      if (access.outcome !== 'success' || recipientOf(access) === patientId) continue
      const purpose = isPatient ? await purposeOf(access, patientId) : null
      yield { access, entry: entryOf(access, purpose, await types(access.fileId)) }
    }
  }
  return {
    stream: async (actor, wish) => entriesOf(all(wish, await permit(actor, wish))),
    page: async (actor, wish, limit) => {
      const found: Disclosure[] = []
      let last: EventCursor | undefined
      for await (const { access, entry } of all(wish, await permit(actor, wish))) {
        if (found.length === limit) return { disclosures: found, next: last }
        found.push(entry)
        last = { at: access.at, id: access.eventId }
      }
      return { disclosures: found, next: undefined }
    },
  }
}

async function* entriesOf(
  found: AsyncGenerator<{ readonly entry: Disclosure }, void>,
): AsyncGenerator<Disclosure, void> {
  for await (const { entry } of found) yield entry
}

function yearsBefore(time: Date, years: number): Date {
  const before = new Date(time)
  before.setUTCFullYear(before.getUTCFullYear() - years)
  return before
}

const recipientOf = ({ action, actorId, onBehalfOf, subjectId }: LoggedAccess) =>
  sharing.includes(action) ? (subjectId ?? actorId) : (onBehalfOf ?? actorId)

function entryOf(access: LoggedAccess, purpose: string | null, type: string | null): Disclosure {
  const isShared = sharing.includes(access.action)
  return {
    at: access.at.toISOString(),
    last_at: access.lastAt.toISOString(),
    requests: access.requests,
    action: access.action,
    recipient_id: recipientOf(access),
    recipient_roles: isShared ? [] : [...access.roles],
    // Whoever shared it; of a reading, the service that it went through.
    disclosed_by: isShared || access.onBehalfOf !== undefined ? access.actorId : null,
    on_behalf_of: access.onBehalfOf ?? null,
    file_id: access.fileId ?? null,
    version: access.version ?? null,
    medical_record_type_id: type,
    basis: access.emergencyId === undefined ? (access.basis ?? null) : 'emergency',
    grant_id: access.grantId ?? null,
    emergency_id: access.emergencyId ?? null,
    has_purpose: access.purpose !== undefined || access.emergencyId !== undefined,
    purpose,
  }
}

/** How many files' types are remembered: more than a page of a list has. */
const MOST_TYPES = 1_000

/** The type of each record, asked for once while they come together. */
function typesOf(files: Pick<FileStore, 'find'>) {
  const known = new Map<string, string | null>()
  return async (fileId: string | undefined): Promise<string | null> => {
    if (fileId === undefined) return null
    const found = known.get(fileId)
    if (found !== undefined) return found
    const type = (await files.find(fileId))?.recordTypeId ?? null
    if (known.size >= MOST_TYPES) known.clear()
    known.set(fileId, type)
    return type
  }
}
