import type { SealedWriter } from './audit/audit-writer.js'
import { auditKeys } from './audit/event-code.js'
import { keepSealing } from './audit/keep-sealing.js'
import { sealer } from './audit/seal-events.js'
import type { AllStores } from './db/stores.js'
import type { IndexHash } from './keys/index-hash.js'
import type { Transactions } from './ports/transactions.js'

interface Parts {
  readonly db: Transactions<AllStores>
  readonly hash: Pick<IndexHash, 'of'>
  readonly writer: SealedWriter
  readonly isAlone: boolean
  readonly onProblem: (error: unknown) => void
}

/** What makes the audit log one that shows what was done to it. */
export async function wireAudit({ db, hash, writer, isAlone, onProblem }: Parts) {
  const keys = auditKeys(hash)
  await db.stores.seals.makeMonths()
  return await keepSealing({
    sealer: sealer({ db, keys, writer, isAlone, onProblem }),
    everyMs: 1_000,
    onHead: async () => undefined,
    onProblem,
  })
}
