import type { Transactions } from '../ports/transactions.js'
import type { Emergencies } from '../records/ports.js'
import { isOver } from './emergency-summary.js'
import type { EmergencyTerms } from './emergency-terms.js'
import type { EmergencyStores } from './ports.js'

interface Dependencies {
  readonly db: Transactions<Pick<EmergencyStores, 'emergencies' | 'types'>>
  readonly terms: EmergencyTerms
  /** How many different records one emergency access opens. */
  readonly maxRecords: number
}

/** What somebody may read of a patient for an emergency they declared. */
export function standingEmergencies({ db, terms, maxRecords }: Dependencies): Emergencies {
  return {
    between: async (clinicianId, patientId) => {
      const row = await db.stores.emergencies.latest(clinicianId, patientId)
      if (row === undefined) return undefined
      const { emergencyId, sensitiveTypes } = row
      const over = isOver(row, new Date())
      // Without its terms it opens nothing: whoever wrote the row had no keys, or they were destroyed.
      if (row.terms === null) return undefined
      if (!over) await terms.open(row, row.terms)
      return { emergencyId, maxRecords, isOver: over, sensitiveTypes }
    },
    isOpen: async (emergencyId) => {
      const row = await db.stores.emergencies.find(emergencyId)
      return row !== undefined && !isOver(row, new Date())
    },
    sensitiveTypes: async () => {
      const types = await db.stores.types.all()
      return types.filter(({ sensitive }) => sensitive).map(({ id }) => id)
    },
  }
}
