import { randomUUID } from 'node:crypto'
import type { AuditAction } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { isFileId } from '../files/file-id.js'
import type { Transactions } from '../ports/transactions.js'
import { checkedId, operatorActor } from './operator.js'
import type { ErasureStores, HoldRow } from './ports.js'

/** A hold as commands show it. */
export interface HoldSummary {
  readonly hold_id: string
  readonly file_id: string | null
  readonly person_id: string | null
  readonly reference: string
  readonly placed_by: string
  readonly placed_at: string
  readonly released_by: string | null
  readonly released_at: string | null
}

export interface HoldWish {
  /** One of the two. */
  readonly fileId?: string | undefined
  readonly personId?: string | undefined
  /** The id of the case it is for: no names, nothing of its matter. */
  readonly reference: string
  readonly by: string
}

interface Dependencies {
  readonly db: Transactions<ErasureStores>
}

/**
 * Legal holds: while one stands on a file or on its owner, nothing of the file is destroyed. Reading,
 * new versions, restoring and re-wrapping go on. Several may stand at once.
 */
export function legalHolds({ db }: Dependencies) {
  return {
    /**
     * In turn with whatever would destroy what it is about: it is placed before, or refused after.
     * @throws StrongroomError `not_found`; `person_erased` where the keys are gone already
     */
    place: async ({ fileId, personId, reference, by }: HoldWish): Promise<HoldSummary> => {
      const actor = operatorActor(by)
      checkedId(reference, 'reference')
      if ((fileId === undefined) === (personId === undefined)) {
        throw new StrongroomError('invalid_field', { detail: 'Either a file or a person' })
      }
      const row: HoldRow = {
        holdId: randomUUID(),
        fileId: fileId ?? null,
        personId: personId ?? null,
        reference,
        placedBy: by,
        placedAt: new Date(),
        releasedBy: null,
        releasedAt: null,
      }
      await db.transaction(async (stores) => {
        await lockHolders(stores, row)
        if (fileId === undefined) await lockPerson(stores, personId ?? '')
        else await lockFile(stores, fileId)
        await stores.holds.insert(row)
        await stores.audit.append(auditEvent(actor, facts('hold.place', row)))
      })
      return summarize(row)
    },
    /** @throws StrongroomError `not_found` where none of this id stands */
    release: async (holdId: string, by: string): Promise<HoldSummary> => {
      const actor = operatorActor(by)
      const released = await db.transaction(async (stores) => {
        const row = isFileId(holdId)
          ? await stores.holds.release(holdId, by, new Date())
          : undefined
        if (row === undefined) throw new StrongroomError('not_found')
        await stores.audit.append(auditEvent(actor, facts('hold.release', row)))
        return row
      })
      return summarize(released)
    },
    list: async (options: { readonly releasedToo: boolean }): Promise<HoldSummary[]> =>
      (await db.stores.holds.list(options)).map(summarize),
  }
}

export type LegalHolds = ReturnType<typeof legalHolds>

/** Who is shredded meanwhile may be the last who can open it. */
async function lockHolders({ erasures }: ErasureStores, row: HoldRow): Promise<void> {
  const { fileId, personId } = row
  if (personId !== null) await erasures.lockHolders({ fileId: null, personId })
  else if (fileId !== null && isFileId(fileId)) await erasures.lockHolders({ fileId, personId })
}

async function lockPerson({ erasures }: ErasureStores, personId: string): Promise<void> {
  const person = await erasures.lockPerson(personId)
  if (person === undefined) throw unknown('No such person is known here')
  if (person.shreddedAt !== null) throw new StrongroomError('person_erased')
}

/** Owner first, as whoever destroys does. */
async function lockFile({ files }: ErasureStores, fileId: string): Promise<void> {
  const found = isFileId(fileId) ? await files.find(fileId) : undefined
  if (found !== undefined) await files.lockOwner(found.ownerId)
  const file = found === undefined ? undefined : await files.lockFile(fileId)
  if (file === undefined) throw unknown('No such file, or it is destroyed')
  if ((await files.grants(fileId)).length === 0) throw new StrongroomError('person_erased')
}

function unknown(detail: string): StrongroomError {
  return new StrongroomError('not_found', { detail })
}

/**
 * The hold's id alone: its row says what it is about and stays. A file or patient in the event would
 * show it in the access logs of the people concerned.
 */
function facts(action: AuditAction, { holdId }: HoldRow) {
  return { action, outcome: 'success', subjectId: holdId } as const
}

function summarize(row: HoldRow): HoldSummary {
  return {
    hold_id: row.holdId,
    file_id: row.fileId,
    person_id: row.personId,
    reference: row.reference,
    placed_by: row.placedBy,
    placed_at: row.placedAt.toISOString(),
    released_by: row.releasedBy,
    released_at: row.releasedAt?.toISOString() ?? null,
  }
}
