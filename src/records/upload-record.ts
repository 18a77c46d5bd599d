import { randomUUID } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import {
  committing,
  insertVersionRows,
  newGrant,
  type VersionRows,
  versionRows,
} from '../files/commit-upload.js'
import { type FileMetadata, isSameContent } from '../files/file-metadata.js'
import { cleanFileName } from '../files/file-name.js'
import { type OpenEntry, withOpened } from '../files/open-entry.js'
import type { FileEntry, FileRow, GrantRow } from '../files/ports.js'
import { receiveForm, textOf } from '../files/receive-form.js'
import type { IncomingLimits, SealedUpload, SealIncoming } from '../files/seal-incoming.js'
import type { UploadRequest } from '../files/upload-file.js'
import type { UploadSlots } from '../files/upload-slots.js'
import { callerOf, type Idempotency, type IdempotencyClaim } from '../idempotency/idempotency.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { KeyRing } from '../keys/key-ring.js'
import { mayUploadRecord, openGrants } from '../people/policy.js'
import { isPersonId, isPortalId } from '../people/portal-id.js'
import { actsAs } from '../people/service-clients.js'
import type { Transactions } from '../ports/transactions.js'
import type { Assignments, RecordStores, RecordType } from './ports.js'
import { factsOf, type RecordAccess } from './record-access.js'
import {
  type GrantSummary,
  type RecordSummary,
  summarizeGrant,
  summarizeRecord,
} from './record-summary.js'
import { teamGrantsJob } from './team-grants-job.js'

export interface UploadedRecord extends RecordSummary {
  readonly grants: GrantSummary[]
}

export type UploadRecord = (actor: Actor, request: UploadRequest) => Promise<UploadedRecord>

export interface RecordUploadDependencies {
  readonly db: Transactions<RecordStores>
  readonly audit: AuditLog
  readonly assignments: Assignments
  readonly access: RecordAccess
  readonly seal: SealIncoming
  readonly slots: UploadSlots
  readonly keyRing: Pick<KeyRing, 'wrapFileKey'>
  readonly hash: Pick<IndexHash, 'fingerprint'>
  readonly idempotency: Idempotency
  readonly openEntry: OpenEntry
  readonly jobs: { wake(): void }
  readonly limits: IncomingLimits
  /** Whether all clinicians assigned to the patient get the record, not its uploader alone. */
  readonly grantsToTeam: boolean
}

const known = ['patient_id', 'medical_record_type_id', 'label', 'notes', 'sha256']

/**
 * A clinician uploads a record of a patient's. Where the fields come first, a refusal comes before the
 * file is read; where they come after, it is sealed under a key nobody holds and discarded.
 * Throws `not_assigned`, `duplicate_record`, `assignments_unavailable` and what an upload throws.
 */
export function uploadRecord(use: RecordUploadDependencies): UploadRecord {
  const rules = uploadRules(use)
  const commit = commitRecord(use)
  return async (actor, { parts, headerDigest, idempotencyKey }) =>
    await use.slots.run(
      async () =>
        await use.idempotency.run(
          { userId: callerOf(actor), route: 'POST record', key: idempotencyKey },
          async (claim) => {
            const { fields, sealed } = await receiveForm(parts, {
              known,
              headerDigest,
              seal: async (file, before) => await use.seal(file, await rules.before(actor, before)),
            })
            return await committing(sealed, async () => {
              const wish = await rules.after(actor, fields, sealed)
              return await commit(actor, sealed, wish, claim)
            })
          },
        ),
    )
}

interface RecordWish {
  readonly patientId: string
  readonly type: RecordType
  readonly label: string | null
  readonly notes: string | null
}

type Fields = ReadonlyMap<string, string>

/** What is checked before the file is read, as far as the fields are there, and once all are. */
function uploadRules({
  db,
  audit,
  assignments,
  limits,
}: Pick<RecordUploadDependencies, 'db' | 'audit' | 'assignments' | 'limits'>) {
  const checkAssigned = async (actor: Actor, patientId: string) => {
    const decision = mayUploadRecord({
      isAssigned:
        actsAs(actor, 'clinician') && (await assignments.isAssigned(actor.userId, patientId)),
    })
    if (!decision.allow) throw new StrongroomError(decision.code)
  }
  const findType = async (typeId: string) => {
    const type = isPortalId(typeId) ? await db.stores.types.find(typeId) : undefined
    if (type !== undefined) return type
    throw new StrongroomError('invalid_field', { detail: 'medical_record_type_id: not known' })
  }
  /** Puts a refusal on record, so that the patient sees it. */
  const noting = async <T>(actor: Actor, patientId: string | null, work: () => Promise<T>) => {
    try {
      return await work()
    } catch (error) {
      if (
        patientId !== null &&
        isStrongroomError(error, 'not_assigned', 'type_not_allowed', 'file_too_large')
      ) {
        const reason = error.code
        await audit.note(actor, { action: 'record.upload', outcome: 'denied', reason, patientId })
      }
      throw error
    }
  }
  return {
    before: async (actor: Actor, fields: Fields): Promise<IncomingLimits> => {
      const patientId = patientIn(fields)
      return await noting(actor, patientId, async () => {
        if (patientId !== null) await checkAssigned(actor, patientId)
        const typeId = textOf(fields, 'medical_record_type_id')
        return typeId === null ? limits : limitsOf(await findType(typeId), limits)
      })
    },
    after: async (actor: Actor, fields: Fields, sealed: SealedUpload): Promise<RecordWish> => {
      const patientId = patientIn(fields)
      const typeId = textOf(fields, 'medical_record_type_id')
      return await noting(actor, patientId, async () => {
        if (patientId !== null) await checkAssigned(actor, patientId)
        if (patientId === null || typeId === null) throw missingField()
        const type = await findType(typeId)
        checkLimits(sealed, limitsOf(type, limits))
        return { patientId, type, label: textOf(fields, 'label'), notes: textOf(fields, 'notes') }
      })
    },
  }
}

function patientIn(fields: Fields): string | null {
  const patientId = textOf(fields, 'patient_id')
  if (patientId === null || isPersonId(patientId)) return patientId
  throw new StrongroomError('invalid_field', { detail: 'patient_id: not an id' })
}

function missingField(): StrongroomError {
  const detail = 'patient_id and medical_record_type_id are needed.'
  return new StrongroomError('invalid_field', { detail })
}

/** The service's limits, narrowed by those of the type. */
export function limitsOf(type: RecordType, limits: IncomingLimits): IncomingLimits {
  return {
    maxBytes: Math.min(limits.maxBytes, type.maxBytes ?? limits.maxBytes),
    allowedTypes:
      type.allowedTypes.length === 0
        ? limits.allowedTypes
        : limits.allowedTypes.filter((each) => type.allowedTypes.includes(each)),
  }
}

function checkLimits(sealed: SealedUpload, limits: IncomingLimits): void {
  if (!limits.allowedTypes.includes(sealed.contentType)) {
    throw new StrongroomError('type_not_allowed')
  }
  if (sealed.size > limits.maxBytes) {
    const detail = `At most ${limits.maxBytes} bytes are taken for this type.`
    throw new StrongroomError('file_too_large', { detail })
  }
}

interface NewRecord {
  readonly file: FileRow
  readonly metadata: FileMetadata
  readonly grants: readonly GrantRow[]
  readonly team: readonly string[]
}

function commitRecord(use: RecordUploadDependencies) {
  const { db, hash, jobs, keyRing } = use
  const findDuplicates = duplicateRecords(use)
  const teamOf = async (stores: Pick<RecordStores, 'team'>, { type, patientId }: RecordWish) =>
    use.grantsToTeam && !type.sensitive
      ? await stores.team.assignedClinicians(patientId, new Date())
      : []

  return async (
    actor: Actor,
    sealed: SealedUpload,
    wish: RecordWish,
    claim: IdempotencyClaim,
  ): Promise<UploadedRecord> => {
    const content = contentOf(wish, sealed)
    const made = claim.replayOf(content)
    if (made !== undefined) {
      await sealed.discard()
      return await describeUploaded(use, actor, made)
    }
    const { patientId } = wish
    const fingerprint = hash.fingerprint(sealed.sha256, patientId)
    const record = newRecord(actor, sealed, wish, await teamOf(db.stores, wish))
    const { file, metadata, grants } = record
    const rows = await versionRows(keyRing, sealed, {
      file,
      createdBy: actor.userId,
      createdAt: file.createdAt,
      metadata,
      grants,
    })
    for (;;) {
      const seen = await findDuplicates(actor, patientId, fingerprint, sealed)
      const late = await db.transaction(async (stores) => {
        await stores.files.ensurePeople([patientId])
        await stores.files.lockOwner(patientId)
        const now = await stores.files.entriesByFingerprint(
          'record',
          patientId,
          fingerprint,
          actor.userId,
        )
        // Another upload of the same bytes was first: it is looked at before this one counts.
        if (idsOf(now) !== seen) return undefined
        await insertRecord(stores, { actor, sealed, record, fingerprint, rows })
        await claim.complete(stores.idempotency, content, file.fileId)
        const missed = (await teamOf(stores, wish)).filter((each) => !record.team.includes(each))
        for (const clinicianId of missed) {
          await stores.jobs.add(teamGrantsJob(clinicianId, patientId), new Date())
        }
        return missed.length
      })
      if (late === undefined) continue
      if (late > 0) jobs.wake()
      return {
        ...summarizeRecord(file, metadata),
        grants: grants.map((grant) => summarizeGrant(grant, null)),
      }
    }
  }
}

function contentOf({ patientId, type, label, notes }: RecordWish, sealed: SealedUpload): string {
  return JSON.stringify([patientId, type.id, label, notes, sealed.sha256.toString('hex')])
}

interface RecordInsertion {
  readonly actor: Actor
  readonly sealed: SealedUpload
  readonly record: NewRecord
  readonly fingerprint: Buffer
  readonly rows: VersionRows
}

async function insertRecord(
  stores: RecordStores,
  { actor, sealed, record, fingerprint, rows }: RecordInsertion,
): Promise<void> {
  const { file, grants } = record
  if (!(await stores.files.insertFile(file, fingerprint))) throw new StrongroomError('conflict')
  for (const grant of grants) await stores.files.insertGrant(grant)
  await insertVersionRows(stores.files, sealed, rows)
  await stores.audit.append(
    auditEvent(actor, {
      action: 'record.upload',
      outcome: 'success',
      fileId: file.fileId,
      patientId: file.ownerId,
      grantId: grants.find(({ userId }) => userId === actor.userId)?.grantId,
      version: 1,
      bytes: sealed.size,
    }),
  )
}

function newRecord(
  actor: Actor,
  sealed: SealedUpload,
  { patientId, type, label, notes }: RecordWish,
  assigned: readonly string[],
): NewRecord {
  const at = new Date()
  const file: FileRow = {
    fileId: randomUUID(),
    kind: 'record',
    ownerId: patientId,
    uploaderId: actor.userId,
    recordId: randomUUID(),
    recordTypeId: type.id,
    version: 1,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
    purgeAfter: null,
  }
  const metadata: FileMetadata = {
    file_id: file.fileId,
    version: 1,
    size: sealed.size,
    sha256: sealed.sha256.toString('hex'),
    owner_id: patientId,
    patient_id: patientId,
    uploader_id: actor.userId,
    content_type: sealed.contentType,
    record_type_id: type.id,
    filename: cleanFileName(sealed.filename),
    label,
    notes,
  }
  const team = [...new Set([actor.userId, ...assigned])]
  const terms = { fileId: file.fileId, grantedBy: actor.userId, grantedAt: at }
  const grants = [
    newGrant({ ...terms, userId: patientId, basis: 'own' }),
    ...team
      .filter((userId) => userId !== patientId)
      .map((userId) => newGrant({ ...terms, userId, basis: 'assignment' })),
  ]
  return { file, metadata, grants, team }
}

/**
 * Refuses bytes the caller can open already; says which records have these bytes.
 * @throws StrongroomError `duplicate_record`
 */
export function duplicateRecords({
  db,
  openEntry,
}: {
  readonly db: Transactions<Pick<RecordStores, 'files'>>
  readonly openEntry: OpenEntry
}) {
  return async (
    actor: Actor,
    patientId: string,
    fingerprint: Buffer,
    sealed: Pick<SealedUpload, 'size' | 'sha256'>,
  ): Promise<string> => {
    const entries = await db.stores.files.entriesByFingerprint(
      'record',
      patientId,
      fingerprint,
      actor.userId,
    )
    for (const entry of entries) {
      const [grant] = openGrants({ ...factsOf(actor, entry), isAssigned: true })
      if (grant === undefined) continue
      const same = await withOpened(await openEntry(entry, grant), ({ metadata }) =>
        isSameContent(metadata, sealed.size, sealed.sha256),
      )
      if (!same) throw new StrongroomError('damaged')
      throw new StrongroomError('duplicate_record', { extra: { file_id: entry.file.fileId } })
    }
    return idsOf(entries)
  }
}

export function idsOf(entries: readonly FileEntry[]): string {
  return entries
    .map(({ file }) => file.fileId)
    .sort()
    .join()
}

/** The answer to an upload that was made before, from what is there now. */
async function describeUploaded(
  { access, db }: Pick<RecordUploadDependencies, 'access' | 'db'>,
  actor: Actor,
  fileId: string,
): Promise<UploadedRecord> {
  const opened = await access.open(actor, fileId, 'read_metadata', { audit: 'record.upload' })
  const grants = await db.stores.files.grants(fileId)
  return await withOpened(opened, ({ entry, metadata }) => ({
    ...summarizeRecord(entry.file, metadata),
    grants: grants.map((grant) => summarizeGrant(grant, null)),
  }))
}
