import type { BlobStore } from './blobs/blob-store.js'
import type { Config } from './config.js'
import type { SigningKey } from './crypto/signing-key.js'
import type { Database } from './db/database.js'
import { assertNotMoving } from './db/move/may-serve.js'
import { oldCopies } from './db/old-copies.js'
import type { AllStores } from './db/stores.js'
import { issueCertificate } from './erasure/certificate.js'
import { finishErasure, SHRED } from './erasure/finish-erasure.js'
import { legalHolds } from './erasure/holds.js'
import { beginShred, previewShred } from './erasure/shred.js'
import { StrongroomError } from './errors/strongroom-error.js'
import type { JobContext } from './jobs/job-runner.js'
import type { JobRow } from './jobs/ports.js'
import type { KeyProvider } from './keys/key-provider.js'
import type { Transactions } from './ports/transactions.js'

interface Parts {
  readonly config: Pick<Config, 'deletion'>
  readonly database: Database
  readonly db: Transactions<AllStores>
  readonly blobs: BlobStore
  readonly provider: KeyProvider
  readonly signingKey: SigningKey
  readonly openOwner: (() => Promise<Database>) | undefined
}

/** Legal holds, shredding and its certificates. */
export function wireErasure({ config, database, openOwner, ...parts }: Parts) {
  const begin = beginShred(parts)
  const finish = finishErasure({
    ...parts,
    oldCopies: oldCopies(database, { openOwner }),
    backupRetentionDays: config.deletion.backupRetentionDays,
  })
  return {
    services: {
      holds: legalHolds(parts),
      previewShred: previewShred(parts),
      beginShred: async (...given: Parameters<typeof begin>) => {
        // The other database would keep old rows of what is destroyed here, and no certificate would say so.
        await assertNotMoving(database)
        return await begin(...given)
      },
      finishErasure: finish,
      issueCertificate: issueCertificate({ ...parts, engine: database.engine }),
      signingKey: parts.signingKey,
    },
    jobHandlers: {
      [SHRED]: async ({ payload }: JobRow, { signal, tell }: JobContext) => {
        const { erasureId, rewrite } = payload
        if (erasureId === undefined) throw new StrongroomError('internal')
        await finish(erasureId, { rewrite: rewrite === 'true', signal, progress: tell })
      },
    },
  }
}
