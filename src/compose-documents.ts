import type { AuditLog } from './audit/audit-log.js'
import type { BlobStore } from './blobs/blob-store.js'
import type { Config } from './config.js'
import type { AllStores } from './db/stores.js'
import { abortParts } from './documents/abort-parts.js'
import { askForUpload } from './documents/ask-for-upload.js'
import { completeParts } from './documents/complete-parts.js'
import { confirmUpload } from './documents/confirm-upload.js'
import { documentNotes } from './documents/document-facts.js'
import type { DocumentRights } from './documents/document-rights.js'
import { listDocuments } from './documents/list-documents.js'
import { partsUploads } from './documents/parts-upload.js'
import { receiveUpload } from './documents/receive-upload.js'
import { tidyDocuments } from './documents/tidy-documents.js'
import type { PurgeFile } from './files/delete-file.js'
import { openWhole } from './files/open-whole.js'
import type { UploadDependencies } from './files/upload-file.js'
import type { KeyRing } from './keys/key-ring.js'
import { spaceIdOf } from './people/spaces.js'
import type { Transactions } from './ports/transactions.js'
import type { WorkLog } from './ports/work-log.js'
import type { Assignments } from './records/ports.js'
import type { TicketBook } from './tickets/ticket-book.js'

const TIDY_DOCUMENTS = 'tidy-documents'
const TIDY_EVERY_MS = 3_600_000

interface Parts extends Omit<UploadDependencies, 'db' | 'ownFiles' | 'keyRing'> {
  readonly config: Pick<Config, 'assignments' | 'documents' | 'uploads'>
  readonly db: Transactions<AllStores>
  readonly audit: AuditLog
  readonly keyRing: KeyRing
  readonly blobs: Pick<BlobStore, 'open'>
  readonly rights: DocumentRights
  readonly tickets: TicketBook
  readonly assignments: Assignments
  readonly purge: PurgeFile
  readonly jobs: { wake(): void }
  readonly log: WorkLog
  readonly onProblem: (error: unknown) => void
}

/** Documents whose bytes go to a URL of their own. */
export function wireDocuments(parts: Parts) {
  const { config } = parts
  const [bucket = 'documents'] = config.documents.buckets
  const use = {
    ...parts,
    notes: documentNotes(parts.keyRing),
    grantsToTeam: config.assignments.grants === 'team',
    settings: {
      contentTypes: config.documents.contentTypes,
      spaceId: spaceIdOf({ kind: 'bucket', name: bucket }),
      expiryDays: config.uploads.expiryDays,
    },
  }
  const tidy = tidyDocuments(use)
  const confirm = confirmUpload(use)
  return {
    services: {
      ask: askForUpload(use),
      receive: receiveUpload(use),
      confirm,
      list: listDocuments(use),
      parts: {
        ...partsUploads(use),
        complete: completeParts({ ...use, confirm, openWhole: openWhole(parts) }),
        abort: abortParts(use),
      },
    },
    jobHandlers: {
      [TIDY_DOCUMENTS]: (_job: unknown, context: { readonly signal: AbortSignal }) => tidy(context),
    },
    recurring: [{ kind: TIDY_DOCUMENTS, everyMs: TIDY_EVERY_MS }],
  }
}
