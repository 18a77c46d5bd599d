import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { newGrant } from '../files/commit-upload.js'
import type { FileEntry } from '../files/ports.js'
import type { JobContext } from '../jobs/job-runner.js'
import type { JobRow } from '../jobs/ports.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Transactions } from '../ports/transactions.js'
import { lockGrants } from './grants.js'
import type { Assignments, RecordStores } from './ports.js'
import { wrapForGrantee } from './wrap-for-grantee.js'

interface Dependencies {
  readonly db: Transactions<RecordStores>
  readonly assignments: Assignments
  readonly keyRing: Pick<KeyRing, 'wrapFileKey' | 'unwrapFileKey'>
}

const batch = 50

/**
 * Job handler: gives a clinician grants on the records of a patient they are assigned to, those of
 * sensitive types excepted, by the patient's own grants. What was given stays given when it is tried again.
 */
export function grantTeam(use: Dependencies) {
  return async (
    { jobId, payload }: JobRow,
    { signal }: Pick<JobContext, 'signal'>,
  ): Promise<void> => {
    const { clinicianId, patientId } = payload
    if (clinicianId === undefined || patientId === undefined) throw new StrongroomError('internal')
    if (clinicianId === patientId) return
    if (!(await use.assignments.isAssigned(clinicianId, patientId))) return
    for (;;) {
      const fileIds = await use.db.stores.team.missingTeamGrants(clinicianId, patientId, batch)
      for (const fileId of fileIds) {
        signal.throwIfAborted()
        await grantOne(use, { jobId, fileId, clinicianId, patientId })
      }
      if (fileIds.length < batch) return
    }
  }
}

interface Gift {
  readonly jobId: string
  readonly fileId: string
  readonly clinicianId: string
  readonly patientId: string
}

async function grantOne(use: Dependencies, gift: Gift): Promise<void> {
  const { fileId, clinicianId, patientId } = gift
  const entry = await use.db.stores.files.entry(fileId, patientId)
  if (entry === undefined || entry.file.deletedAt !== null) return
  const holder = entry.held.find(({ basis }) => basis === 'own')
  if (holder === undefined) throw new StrongroomError('damaged', { context: { file_id: fileId } })
  const grant = newGrant({
    fileId,
    userId: clinicianId,
    basis: 'assignment',
    grantedBy: service.userId,
    grantedAt: new Date(),
  })
  const keys = await wrapForGrantee(use, { holder, grant })
  await use.db.transaction(async (stores) => {
    if (await isGiven(stores, entry, clinicianId)) return
    await stores.files.insertGrant(grant)
    for (const key of keys) await stores.files.insertWrappedKey(key)
    await stores.audit.append(
      auditEvent(
        { ...service, requestId: gift.jobId },
        {
          action: 'record.team_grant',
          outcome: 'success',
          fileId,
          patientId,
          subjectId: clinicianId,
          grantId: grant.grantId,
        },
      ),
    )
  })
}

/** Locks the record; whether another node gave the grant meanwhile. */
async function isGiven(
  stores: RecordStores,
  entry: FileEntry,
  clinicianId: string,
): Promise<boolean> {
  const standing = await lockGrants(stores.files, entry)
  return standing.some(({ userId, basis }) => userId === clinicianId && basis === 'assignment')
}

/** The service itself, in the audit. */
const service: Actor = {
  userId: 'strongroom',
  roles: ['service'],
  ip: '',
  userAgent: '',
  requestId: '',
}
