import { randomUUID } from 'node:crypto'
import type { JobRow } from '../jobs/ports.js'

export const TEAM_GRANTS = 'team_grants'

/** The work of giving a clinician the records of a patient they are assigned to. */
export function teamGrantsJob(clinicianId: string, patientId: string): Omit<JobRow, 'attempts'> {
  return { jobId: randomUUID(), kind: TEAM_GRANTS, payload: { clinicianId, patientId } }
}
