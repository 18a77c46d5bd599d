import type { AuditLog } from './audit/audit-log.js'
import type { Config } from './config.js'
import type { AllStores } from './db/stores.js'
import { emergencyBook } from './emergency/emergency-book.js'
import { emergencyTerms } from './emergency/emergency-terms.js'
import { END_EMERGENCIES, endLapsed } from './emergency/end-lapsed.js'
import { standingEmergencies } from './emergency/standing-emergencies.js'
import { isStrongroomError } from './errors/strongroom-error.js'
import type { KeyRing } from './keys/key-ring.js'
import type { Transactions } from './ports/transactions.js'

/** How soon the end of one that nobody ended is on record. */
const END_EVERY_MS = 30_000

interface Parts {
  readonly config: Pick<Config, 'emergency'>
  readonly db: Transactions<AllStores>
  readonly audit: AuditLog
  readonly keyRing: KeyRing
}

/** Reading one patient's records without a grant: what is asked for, what it opens, when it ends. */
export function wireEmergency({ config, db, audit, keyRing }: Parts) {
  const terms = emergencyTerms(keyRing)
  const { maxMinutes, maxRecords } = config.emergency
  const ending = endLapsed({ db })
  return {
    book: emergencyBook({ db, audit, terms, maxMinutes }),
    /** For those who open records. */
    standing: standingEmergencies({ db, terms, maxRecords }),
    reasonOf: async (emergencyId: string) => {
      const row = await db.stores.emergencies.find(emergencyId)
      if (row === undefined || row.terms === null) return null
      try {
        return await terms.open(row, row.terms)
      } catch (error) {
        // Whoever spoils a row must not take the log away from the patient.
        if (isStrongroomError(error, 'damaged')) return null
        throw error
      }
    },
    jobHandlers: {
      [END_EMERGENCIES]: async (_job: unknown, context: { readonly signal: AbortSignal }) => {
        await ending(context)
      },
    },
    recurring: [{ kind: END_EMERGENCIES, everyMs: END_EVERY_MS }],
  }
}
