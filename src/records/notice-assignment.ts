import type { IndexHash } from '../keys/index-hash.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from './ports.js'
import { teamGrantsJob } from './team-grants-job.js'

interface Dependencies {
  readonly db: Transactions<RecordStores>
  readonly jobs: { wake(): void }
  readonly hash: Pick<IndexHash, 'uuid'>
}

/**
 * For assignments that are kept elsewhere, where nobody tells us of a new one: it is noticed when it is
 * met, and what the clinician was not given yet is given by the job, of which there is one at a time.
 */
export function noticeAssignment({ db, jobs, hash }: Dependencies) {
  return async (clinicianId: string, patientId: string): Promise<void> => {
    if (clinicianId === patientId) return
    const missing = await db.stores.team.missingTeamGrants(clinicianId, patientId, 1)
    if (missing.length === 0) return
    const jobId = hash.uuid('team-grants', clinicianId, patientId)
    await db.stores.jobs.add({ ...teamGrantsJob(clinicianId, patientId), jobId }, new Date())
    jobs.wake()
  }
}
