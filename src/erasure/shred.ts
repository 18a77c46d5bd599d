import { randomUUID } from 'node:crypto'
import type { Actor, AuditFacts } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { actionOf } from '../files/file-action.js'
import { isFileId } from '../files/file-id.js'
import type { FileRow } from '../files/ports.js'
import type { KeyProvider } from '../keys/key-provider.js'
import { isPortalId } from '../people/portal-id.js'
import type { Transactions } from '../ports/transactions.js'
import { shredJob } from './finish-erasure.js'
import { legalHold, operatorActor } from './operator.js'
import type { ErasureCounts, ErasureRow, ErasureStores } from './ports.js'

export interface ShredTarget {
  /** A file, one version of it, or a person. */
  readonly fileId?: string | undefined
  readonly version?: number | undefined
  readonly personId?: string | undefined
}

interface Dependencies {
  readonly db: Transactions<ErasureStores>
  readonly provider: Pick<KeyProvider, 'masterKeyIds'>
}

export interface ShredPreview extends ErasureCounts {
  /** Files of others that nobody could open any more. */
  readonly recordsClosed: number
  readonly isHeld: boolean
}

/**
 * What a shredding would destroy, and whether a hold forbids it. Nothing is touched.
 * @throws StrongroomError `not_found`
 */
export function previewShred({ db }: Pick<Dependencies, 'db'>) {
  return async (target: ShredTarget): Promise<ShredPreview> => {
    const { erasures, files } = db.stores
    if (target.personId !== undefined) {
      const personId = checked(target.personId)
      if ((await erasures.findPerson(personId)) === undefined)
        throw new StrongroomError('not_found')
      const counts = await erasures.countsOfPerson(personId)
      const recordsClosed = await erasures.countClosed(personId)
      return { ...counts, recordsClosed, isHeld: await erasures.isPersonHeld(personId) }
    }
    const { fileId } = await findFile(db.stores, target)
    const isHeld = await files.isHeld(fileId)
    const counts = await erasures.countsOfFile(fileId, target.version ?? null)
    return { ...counts, recordsClosed: 0, isHeld }
  }
}

function checked(personId = ''): string {
  if (!isPortalId(personId)) throw new StrongroomError('not_found')
  return personId
}

/**
 * Destroys the keys of a file, of one of its versions, or of a person, whatever retention they have, in
 * one transaction with its event and the facts for the certificate. What follows from it
 * (`finishErasure`) is a job that stands from then on.
 *
 * @throws StrongroomError `not_found`; `legal_hold`; `conflict` for the current version;
 *   `person_erased` for who was
 */
export function beginShred(use: Dependencies) {
  return async (
    target: ShredTarget,
    by: string,
    { rewrite = false }: { readonly rewrite?: boolean | undefined } = {},
  ): Promise<string> => {
    const actor = operatorActor(by)
    const erasureId = randomUUID()
    await use.db.transaction(async (stores) => {
      const row =
        target.personId === undefined
          ? await shredFile(use, stores, { actor, erasureId, target })
          : await shredPerson(use, stores, { actor, erasureId, personId: checked(target.personId) })
      await stores.jobs.add(
        shredJob(row.erasureId, { rewrite }),
        new Date(Date.now() + PATIENCE_MS),
      )
    })
    return erasureId
  }
}

/** Whoever began it goes on with it; after so long, a job does. */
const PATIENCE_MS = 120_000

interface FileWork {
  readonly actor: Actor
  readonly erasureId: string
  readonly target: ShredTarget
}

async function shredFile(
  use: Dependencies,
  stores: ErasureStores,
  { actor, erasureId, target }: FileWork,
): Promise<ErasureRow> {
  const found = await findFile(stores, target)
  const { erasures, files } = stores
  await files.lockOwner(found.ownerId)
  const file = await files.lockFile(found.fileId)
  if (file === undefined) throw new StrongroomError('not_found')
  const { fileId } = file
  const version = target.version ?? null
  if (await files.isHeld(fileId)) throw legalHold()
  if (version === file.version) {
    throw new StrongroomError('conflict', {
      detail: 'This is the current version: shred the file, or replace its content first',
    })
  }
  const row = newErasure({
    ...{ erasureId, requestedBy: actor.userId, fileId, version },
    kind: version === null ? 'file' : 'version',
    counts: await erasures.countsOfFile(fileId, version),
    masterKeyIds: await masterKeys(use, stores, await erasures.masterKeysOfFile(fileId, version)),
  })
  const sealedIds =
    version === null
      ? await erasures.shredFile(fileId, actor.userId, row.requestedAt)
      : await erasures.shredVersion(fileId, version)
  // A version of that number may never have been, or be gone.
  if (sealedIds.length === 0) throw new StrongroomError('not_found')
  await erasures.insert(row)
  await erasures.addBlobs(erasureId, sealedIds)
  await erasures.adoptBlobs(erasureId, fileId, version)
  await stores.audit.append(auditEvent(actor, eventOf(file, erasureId, version)))
  return row
}

async function findFile(
  { files }: Pick<ErasureStores, 'files'>,
  { fileId = '' }: ShredTarget,
): Promise<FileRow> {
  const found = isFileId(fileId) ? await files.find(fileId) : undefined
  if (found === undefined) throw new StrongroomError('not_found')
  return found
}

function eventOf(file: FileRow, erasureId: string, version: number | null): AuditFacts {
  return {
    action: actionOf(file.kind, 'shred'),
    outcome: 'success',
    fileId: file.fileId,
    patientId: file.kind === 'record' ? file.ownerId : undefined,
    subjectId: erasureId,
    version: version ?? undefined,
  }
}

interface PersonWork {
  readonly actor: Actor
  readonly erasureId: string
  readonly personId: string
}

/** The mark and the user keys go first: with them everything else is closed, however it ends. */
async function shredPerson(
  use: Dependencies,
  stores: ErasureStores,
  { actor, erasureId, personId }: PersonWork,
): Promise<ErasureRow> {
  const { erasures } = stores
  const person = await erasures.lockPerson(personId)
  if (person === undefined) throw new StrongroomError('not_found')
  if (person.shreddedAt !== null) throw new StrongroomError('person_erased')
  await erasures.lockHeldFiles(personId)
  if (await erasures.isPersonHeld(personId)) throw legalHold()
  const counts = await erasures.countsOfPerson(personId)
  const row = newErasure({
    ...{ erasureId, requestedBy: actor.userId, personId, kind: 'person' },
    // Files are counted as they are destroyed.
    counts: { ...counts, files: 0, versions: 0 },
    masterKeyIds: await masterKeys(use, stores, await erasures.masterKeysOfPerson(personId)),
  })
  await erasures.markShredded(personId, row.requestedAt)
  await erasures.destroyUserKeys(personId)
  await erasures.endGrantsOf(personId, actor.userId, row.requestedAt)
  await erasures.destroyPurposes(personId)
  await erasures.insert(row)
  await stores.audit.append(
    auditEvent(actor, { action: 'person.shred', outcome: 'success', subjectId: personId }),
  )
  return row
}

/** Where it is not known of a key who wraps it, it may be any that was in use. */
async function masterKeys(
  { provider }: Dependencies,
  { keys }: ErasureStores,
  found: readonly (string | null)[],
): Promise<string[]> {
  const ids = new Set(found.filter((id) => id !== null))
  if (found.includes(null)) {
    for (const { masterKeyId } of await keys.deploymentKeys()) ids.add(masterKeyId)
    for (const masterKeyId of provider.masterKeyIds) ids.add(masterKeyId)
  }
  return [...ids].sort()
}

type NewErasure = Pick<ErasureRow, 'erasureId' | 'kind' | 'requestedBy' | 'masterKeyIds'> &
  Partial<Pick<ErasureRow, 'fileId' | 'version' | 'personId'>> & { readonly counts: ErasureCounts }

function newErasure({ counts, ...facts }: NewErasure): ErasureRow {
  return {
    ...{ fileId: null, version: null, personId: null },
    ...facts,
    ...counts,
    requestedAt: new Date(),
    finishedAt: null,
    oldCopies: null,
    backupsExpireAt: null,
  }
}
