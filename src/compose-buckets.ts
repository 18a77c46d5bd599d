import type { AuditLog } from './audit/audit-log.js'
import { askForDownload } from './buckets/ask-for-download.js'
import { askForObject } from './buckets/ask-for-upload.js'
import { bucketRights } from './buckets/bucket-rights.js'
import { commitObject } from './buckets/commit-object.js'
import { deleteObject } from './buckets/delete-object.js'
import { folderNotes } from './buckets/folder-notes.js'
import { listBuckets } from './buckets/list-buckets.js'
import { listObjects } from './buckets/list-objects.js'
import { objectHashes } from './buckets/object-hashes.js'
import { openObjects } from './buckets/open-objects.js'
import { receiveObject } from './buckets/receive-object.js'
import { tidyBuckets, tidyFolder } from './buckets/tidy-buckets.js'
import type { Ending } from './compose-records.js'
import type { Config } from './config.js'
import type { AllStores } from './db/stores.js'
import { documentNotes } from './documents/document-facts.js'
import type { PurgeFile } from './files/delete-file.js'
import type { OpenEntry } from './files/open-entry.js'
import type { UploadDependencies } from './files/upload-file.js'
import type { IndexHash } from './keys/index-hash.js'
import type { KeyRing } from './keys/key-ring.js'
import type { PermissionBook } from './people/permission-book.js'
import type { Transactions } from './ports/transactions.js'
import type { WorkLog } from './ports/work-log.js'
import type { TicketBook } from './tickets/ticket-book.js'

const TIDY_BUCKETS = 'tidy-buckets'
const TIDY_EVERY_MS = 3_600_000

interface Opening {
  readonly config: Pick<Config, 'documents'>
  readonly db: Transactions<AllStores>
  readonly audit: AuditLog
  readonly hash: IndexHash
  readonly permissions: PermissionBook
  readonly openEntry: OpenEntry
}

/** What tickets to objects rest on. */
export function wireObjects({ config, db, audit, hash, permissions, openEntry }: Opening) {
  const hashes = objectHashes(hash)
  const rights = bucketRights({ audit, permissions, buckets: config.documents.buckets })
  return { hashes, rights, objects: openObjects({ db, audit, hashes, rights, openEntry }) }
}

interface Parts extends Omit<UploadDependencies, 'db' | 'ownFiles' | 'keyRing'>, Opening {
  readonly wired: ReturnType<typeof wireObjects>
  readonly hash: IndexHash
  readonly keyRing: KeyRing
  readonly tickets: TicketBook
  readonly purge: PurgeFile
  readonly deleting: { readonly retentionDays: number }
  /** Calls, after the work, for a look at what readings rest on. */
  readonly ending: Ending
  readonly log: WorkLog
  readonly onProblem: (error: unknown) => void
}

/** Objects in buckets: files that are found by a key, for whom permissions name. */
export function wireBuckets(parts: Parts) {
  const { wired, keyRing, ending } = parts
  const use = {
    ...parts,
    ...wired,
    notes: documentNotes(keyRing),
    folderNotes: folderNotes(keyRing, wired.hashes),
    tidyFolder: tidyFolder(parts),
  }
  const commit = ending(commitObject(use))
  const tidy = tidyBuckets(use)
  return {
    services: {
      buckets: listBuckets(use),
      list: listObjects(use),
      askForUpload: askForObject(use),
      askForDownload: askForDownload(use),
      receive: receiveObject({ ...use, commit }),
      delete: ending(deleteObject(use)),
    },
    jobHandlers: {
      [TIDY_BUCKETS]: (_job: unknown, context: { readonly signal: AbortSignal }) => tidy(context),
    },
    recurring: [{ kind: TIDY_BUCKETS, everyMs: TIDY_EVERY_MS }],
  }
}
