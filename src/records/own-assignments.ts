import type { Transactions } from '../ports/transactions.js'
import type { Assignments, RecordStores } from './ports.js'

/** Assignments by our own table, asked anew each time: an end counts at once. */
export function ownAssignments(db: Transactions<Pick<RecordStores, 'assignments'>>): Assignments {
  return {
    isAssigned: (clinicianId, patientId) =>
      db.stores.assignments.isAssigned(clinicianId, patientId, new Date()),
  }
}
