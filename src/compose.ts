import { join } from 'node:path'
import type { Logger } from 'pino'
import { RAISE_ALERTS, raiseAlerts } from './alerts/raise-alerts.js'
import { auditLog } from './audit/audit-log.js'
import { auditWriter, unsignedWriter } from './audit/audit-writer.js'
import { auditKeys } from './audit/event-code.js'
import { localDiskBlobStore } from './blobs/local-disk-blob-store.js'
import { loggedBlobStore } from './blobs/logged-blob-store.js'
import { wireAudit } from './compose-audit.js'
import { wireEmergency } from './compose-emergency.js'
import { wireErasure } from './compose-erasure.js'
import { wireJobs } from './compose-jobs.js'
import { openKeyProvider } from './compose-keys.js'
import { openOutbox, wireOutbox } from './compose-outbox.js'
import { wireRecords } from './compose-records.js'
import type { Config } from './config.js'
import { auditMonthParts } from './db/audit-month-parts.js'
import type { Database } from './db/database.js'
import { openEmbeddedDatabase } from './db/embedded-database.js'
import { assertMigrated, migrate } from './db/migrate.js'
import { openPostgresDatabase } from './db/postgres-database.js'
import { grantRowRights, mayChangeAudit } from './db/separate-roles.js'
import { transactions } from './db/stores.js'
import { watchedWrites } from './db/watched-writes.js'
import { accessHistory, purposes } from './files/access-history.js'
import { addVersion } from './files/add-version.js'
import { checkFile } from './files/check-file.js'
import { deleteFile, purgeFile, restoreFile } from './files/delete-file.js'
import { listFiles } from './files/list-files.js'
import { listVersions } from './files/list-versions.js'
import { openEntry } from './files/open-entry.js'
import { ownFiles } from './files/own-files.js'
import { startReading } from './files/read-file.js'
import { DESTROY_BYTES, destroyBytes, reseal } from './files/reseal.js'
import { resealJob } from './files/reseal-job.js'
import { runningReads } from './files/running-reads.js'
import { sealIncoming } from './files/seal-incoming.js'
import { updateFile } from './files/update-file.js'
import { uploadBatch } from './files/upload-batch.js'
import { uploadFile } from './files/upload-file.js'
import { uploadSlots } from './files/upload-slots.js'
import { idempotency } from './idempotency/idempotency.js'
import { openDeploymentKeys } from './keys/deployment-keys.js'
import { indexHash } from './keys/index-hash.js'
import { keyRing } from './keys/key-ring.js'
import type { RunningKeyProvider } from './keys/several-key-providers.js'
import { openSigningKey } from './keys/signing-key.js'
import { userKeys } from './keys/user-keys.js'
import { inContext } from './log-context.js'
import { operations } from './operations/operations.js'
import type { WorkLog } from './ports/work-log.js'
import { disclosures } from './records/disclosures.js'
import { announceKeys } from './rotation/key-nodes.js'
import { rotationJobs } from './rotation/rotation-jobs.js'

export interface ComposeOptions {
  /** False: for a command, which does one thing and leaves the jobs to the service. */
  readonly background?: boolean
}

/** Everything the HTTP layer and the commands call. */
export type Services = Awaited<ReturnType<typeof compose>>

/**
 * Builds drivers and wires services: the only place that knows which database, store and key provider
 * are in use. Throws what they throw at start: WrongKeysError, a database in use, a folder not writable.
 */
export async function compose(
  config: Config,
  secrets: { readonly masterKeys: readonly string[] },
  logger: Logger,
  { background = true }: ComposeOptions = {},
) {
  const log = inContext(logger)
  const onProblem = (err: unknown) => {
    log.error({ err }, 'failed')
  }
  // A connection outlives the request that opened it: what becomes of it is not that request's doing.
  const database = watchedWrites(
    await openDatabase(config, (err) => {
      logger.error({ err }, 'failed')
    }),
  )
  let provider: RunningKeyProvider | undefined
  try {
    await (background ? bringUpToDate(config, database, log) : assertMigrated(database))
    provider = await openKeyProvider(config.keys, secrets, log)
    return await wire({ config, provider, database, log, onProblem, background })
  } catch (error) {
    await provider?.close()
    await database.close()
    throw error
  }
}

/** The role of DATABASE_URL gets the rights on rows alone where another one owns the tables. */
async function bringUpToDate(config: Config, database: Database, log: WorkLog): Promise<void> {
  const openOwner = ownerOf(config)
  if (openOwner === undefined) {
    await migrate(database)
  } else {
    const owner = await openOwner()
    try {
      await migrate(owner)
      await grantRowRights(owner, database)
    } finally {
      await owner.close()
    }
  }
  if (config.production && (await mayChangeAudit(database))) {
    log.warn(
      {},
      'the role of DATABASE_URL can change the audit log: DATABASE_OWNER_URL parts the two',
    )
  }
}

/** Opens the database as the role that owns the tables, where that is another one. */
export function ownerOf({ databaseOwnerUrl: url }: Pick<Config, 'databaseOwnerUrl'>) {
  return url === undefined ? undefined : () => openPostgresDatabase({ url, poolSize: 1 })
}

/** Where the database is. */
export type DatabasePlace = Pick<Config, 'databaseUrl' | 'databasePoolSize' | 'dataDir'>

export async function openDatabase(
  config: DatabasePlace,
  onProblem: (error: unknown) => void,
): Promise<Database> {
  const { databaseUrl, databasePoolSize, dataDir } = config
  return databaseUrl === undefined
    ? await openEmbeddedDatabase({
        folder: join(dataDir, 'database'),
        onMaintenanceProblem: onProblem,
      })
    : await openPostgresDatabase({
        url: databaseUrl,
        poolSize: databasePoolSize,
        onConnectionLost: onProblem,
      })
}

interface Parts {
  readonly config: Config
  readonly provider: RunningKeyProvider
  readonly database: Database
  readonly log: WorkLog
  readonly onProblem: (error: unknown) => void
  readonly background: boolean
}

async function wire({ config, provider, database, log, onProblem, background }: Parts) {
  const outbox = openOutbox(config.outbox)
  const blobs = loggedBlobStore(await localDiskBlobStore({ folder: config.filesDir }), log)
  const store = transactions(database, unsignedWriter).stores.keys
  const indexKey = await openDeploymentKeys({ provider, store, addsChecks: background })
  const signingKey = await openSigningKey({ provider, store })
  const hash = indexHash(indexKey)
  const writer = auditWriter(auditKeys(hash))
  const db = transactions(database, writer, { outbox: outbox.rules })
  // The embedded database has one owner: whoever held a lease, announced keys or wrote events, is gone.
  const isAlone = database.engine === 'embedded'
  const openOwner = ownerOf(config)
  const monthParts = auditMonthParts(database, openOwner)
  const auditing = await wireAudit({
    ...{ config, db, hash, signingKey, writer, isAlone, monthParts, onProblem },
  })
  const { cacheMs, outageMs } = config.keys
  const users = userKeys({ provider, store: db.stores.keys, cacheMs, outageMs })
  const ring = keyRing(users)
  const audit = auditLog(db)
  const running = runningReads({ db, onProblem })
  const { uploads } = config
  const limits = {
    maxBytes: uploads.maxFileBytes,
    allowedTypes: uploads.allowedContentTypes,
    quotaBytes: uploads.quotaBytesPerPerson,
  }
  const open = openEntry({ keyRing: ring })
  const slots = uploadSlots(uploads.maxConcurrent)
  const seal = sealIncoming({ blobs, db, segmentSizeLog2: uploads.segmentSizeLog2, log })
  const idempotent = idempotency({ db, hash, onProblem })
  const own = ownFiles({ db, audit, openEntry: open })
  const uploading = {
    db,
    audit,
    seal,
    slots,
    keyRing: ring,
    hash,
    idempotency: idempotent,
    openEntry: open,
    ownFiles: own,
    limits,
  }
  const emergency = wireEmergency({ config, db, audit, keyRing: ring })
  const purposeOf = purposes({ keyRing: ring, reasonOf: emergency.reasonOf })
  const deleting = { db, blobs, onProblem, retentionDays: config.deletion.retentionDays }
  const files = {
    own,
    seal,
    slots,
    limits,
    upload: uploadFile(uploading),
    uploadBatch: uploadBatch(uploading),
    check: checkFile(uploading),
    list: listFiles({ db, audit, openEntry: open, log }),
    read: startReading({ db, audit, blobs, hash, running, log }),
    update: updateFile({ db }),
    addVersion: addVersion({ db, keyRing: ring, hash, limits }),
    versions: listVersions({ db, audit, openEntry: open }),
    accessHistory: accessHistory({ db, purposeOf }),
    delete: deleteFile(deleting),
    restore: restoreFile(deleting),
    purge: purgeFile(deleting),
  }
  const records = wireRecords({
    ...uploading,
    config,
    audit,
    log,
    emergencies: emergency.standing,
    addVersion: files.addVersion,
    deleteFile: files.delete,
    restoreFile: files.restore,
    jobs: {
      wake: () => {
        jobs.runner.wake()
      },
    },
  })
  const { assignments } = records
  const alerting = raiseAlerts({ db, assignments, thresholds: config.alerts })
  const erasure = wireErasure({ config, database, db, blobs, provider, signingKey, openOwner })
  const turning = rotationJobs({ db, provider, users })
  const resealing = resealJob(reseal({ db, blobs, keyRing: ring, openEntry: open, log }))
  const telling = wireOutbox({ settings: config.outbox, outbox, db, log })
  const jobs = wireJobs({
    ...{ config, db, blobs, hash, log, onProblem, openEntry: open, purge: files.purge },
    handlers: {
      ...{ ...records.jobHandlers, ...erasure.jobHandlers, ...turning, reseal: resealing },
      ...{ ...telling.jobHandlers, ...emergency.jobHandlers },
      [DESTROY_BYTES]: destroyBytes({ db, blobs }),
      [RAISE_ALERTS]: async (_job, context) => {
        await alerting(context)
      },
    },
    recurring: [
      ...telling.recurring,
      ...emergency.recurring,
      { kind: RAISE_ALERTS, everyMs: config.alerts.everyMs },
    ],
  })
  const announced = background
    ? await announceKeys({ db, provider, onProblem, isAlone })
    : undefined
  if (isAlone) await db.stores.jobs.releaseAll()
  if (background) jobs.runner.start()
  return {
    config,
    audit,
    files,
    records: records.services,
    emergencies: emergency.book,
    disclosures: disclosures({ db, audit, purposeOf }),
    auditing: { reports: auditing.reports, verify: auditing.verify },
    operations: operations({
      ...{ db, provider, hash, rotationJobs: turning, resealJob: resealing },
      ...{ ...erasure.services, ...telling.services },
      ...{ verifyAudit: auditing.verify, auditStatus: auditing.status },
      auditRetention: auditing.retention,
      ...{ ...jobs, ...config.sweep, ...config.scrub },
    }),
    ready: async () => ({
      database: await succeeds(database.ping()),
      storage: await succeeds(blobs.check()),
      keys: await provider.isAnswering(),
    }),
    /** Ends the readings under way, and puts that on record. */
    breakOff: () => running.endAll(),
    close: async () => {
      await running.close()
      await jobs.runner.stop()
      await records.close()
      await telling.close()
      await announced?.close()
      await auditing.close()
      await provider.close()
      await database.close()
      indexKey.destroy()
    },
  }
}

async function succeeds(check: Promise<unknown>): Promise<boolean> {
  return await check.then(
    () => true,
    () => false,
  )
}
