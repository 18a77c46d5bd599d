import { randomUUID } from 'node:crypto'
import type { NewJob } from '../jobs/ports.js'

export const TEAM_GRANTS = 'team_grants'

/** The work of giving a clinician the records of a patient they are assigned to. */
export function teamGrantsJob(clinicianId: string, patientId: string): NewJob {
  return { jobId: randomUUID(), kind: TEAM_GRANTS, payload: { clinicianId, patientId } }
}
