import { filesAndRecords } from './0001-files-and-records.js'
import { recurringJobs } from './0002-recurring-jobs.js'
import { keyRotation } from './0003-key-rotation.js'
import { jobProgress } from './0004-job-progress.js'
import { userKeyRotation } from './0005-user-key-rotation.js'
import { holdsAndErasures } from './0006-holds-and-erasures.js'
import { sealedAudit } from './0007-sealed-audit.js'
import { outbox } from './0008-outbox.js'
import { emergencyAccess } from './0009-emergency-access.js'
import { auditRetention } from './0010-audit-retention.js'
import { refusalsIndex } from './0011-refusals-index.js'
import { accounts } from './0012-accounts.js'
import { listsOfMany } from './0013-lists-of-many.js'
import { tickets } from './0014-tickets.js'
import { documents } from './0015-documents.js'
import { documentsInParts } from './0016-documents-in-parts.js'
import { buckets } from './0017-buckets.js'
import type { Migration } from './migration.js'

/**
 * All migrations, oldest first. One that has been released is never changed, moved or removed: its
 * checksum is in every database. Each is a file `0001-what-it-does.ts` with one exported constant.
 */
export const migrations: readonly Migration[] = [
  filesAndRecords,
  recurringJobs,
  keyRotation,
  jobProgress,
  userKeyRotation,
  holdsAndErasures,
  sealedAudit,
  outbox,
  emergencyAccess,
  auditRetention,
  refusalsIndex,
  accounts,
  listsOfMany,
  tickets,
  documents,
  documentsInParts,
  buckets,
]
