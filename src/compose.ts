import { join } from 'node:path'
import type { Logger } from 'pino'
import { RAISE_ALERTS, raiseAlerts } from './alerts/raise-alerts.js'
import { auditLog } from './audit/audit-log.js'
import { auditWriter, unsignedWriter } from './audit/audit-writer.js'
import { auditKeys } from './audit/event-code.js'
import { loggedBlobStore } from './blobs/logged-blob-store.js'
import { wireAudit } from './compose-audit.js'
import { wireBlobs } from './compose-blobs.js'
import { wireBuckets, wireObjects } from './compose-buckets.js'
import { wireDocuments } from './compose-documents.js'
import { wireEmergency } from './compose-emergency.js'
import { wireErasure } from './compose-erasure.js'
import { wireIdentity } from './compose-identity.js'
import { wireJobs } from './compose-jobs.js'
import { openKeyProvider } from './compose-keys.js'
import { wireMove } from './compose-move.js'
import { openOutbox, wireOutbox } from './compose-outbox.js'
import { type Ending, wireRecords } from './compose-records.js'
import { wireRedis } from './compose-redis.js'
import { wireTickets } from './compose-tickets.js'
import { lookAt, openWatching, type Watching } from './compose-watching.js'
import type { Config, JwtSecret } from './config.js'
import { auditMonthParts } from './db/audit-month-parts.js'
import type { Database } from './db/database.js'
import { openEmbeddedDatabase } from './db/embedded-database.js'
import { assertMigrated, migrate } from './db/migrate.js'
import { assertMayServe, assertServed } from './db/move/may-serve.js'
import { openPostgresDatabase } from './db/postgres-database.js'
import { grantRowRights, mayChangeAudit } from './db/separate-roles.js'
import { transactions } from './db/stores.js'
import { watchedWrites } from './db/watched-writes.js'
import { documentRights } from './documents/document-rights.js'
import { isStrongroomError } from './errors/strongroom-error.js'
import { accessHistory, purposes } from './files/access-history.js'
import { addVersion } from './files/add-version.js'
import { checkFile } from './files/check-file.js'
import { deleteFile, purgeFile, restoreFile } from './files/delete-file.js'
import { listFiles } from './files/list-files.js'
import { listVersions } from './files/list-versions.js'
import { moveBlobs } from './files/move-blobs.js'
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
import { MOVE_BLOBS, moveJob } from './operations/move-operations.js'
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
  secrets: { readonly masterKeys: readonly string[]; readonly jwtSecrets: readonly JwtSecret[] },
  logger: Logger,
  { background = true }: ComposeOptions = {},
) {
  const log = inContext(logger)
  const onProblem = (err: unknown) => {
    // Said when it was moved: until the service starts on the other one, all that it does by itself fails so.
    if (!isStrongroomError(err, 'database_moved')) log.error({ err }, 'failed')
  }
  const watching = background ? await openWatching(config, log) : undefined
  // A connection outlives the request that opened it: what becomes of it is not that request's doing.
  const opened = await openDatabase(config, (err) => {
    logger.error({ err }, 'failed')
  })
  const database = watchedWrites(watching?.database(opened) ?? opened)
  let provider: RunningKeyProvider | undefined
  try {
    await (background ? bringUpToDate(config, database, log) : assertReady(database))
    const keys = await openKeyProvider(config.keys, secrets, log)
    provider = watching?.keys(keys) ?? keys
    return await wire({ config, secrets, provider, database, log, onProblem, watching })
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
    await assertMayServe(database, log)
    await migrate(database)
  } else {
    const owner = await openOwner()
    try {
      await assertMayServe(owner, log)
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

async function assertReady(database: Database): Promise<void> {
  await assertServed(database)
  await assertMigrated(database)
}

/** Opens the database as the role that owns the tables, where that is another one. */
export function ownerOf({ databaseOwnerUrl: url }: Pick<Config, 'databaseOwnerUrl'>) {
  return url === undefined ? undefined : () => openPostgresDatabase({ url, poolSize: 1 })
}

/** Where the database is. */
export type DatabasePlace = Pick<
  Config,
  'databaseUrl' | 'databasePoolSize' | 'databaseQueueSize' | 'dataDir'
>

export async function openDatabase(
  config: DatabasePlace,
  onProblem: (error: unknown) => void,
): Promise<Database> {
  const { databaseUrl, databasePoolSize, databaseQueueSize, dataDir } = config
  return databaseUrl === undefined
    ? await openEmbeddedDatabase({
        folder: join(dataDir, 'database'),
        queueLimit: databaseQueueSize,
        onMaintenanceProblem: onProblem,
      })
    : await openPostgresDatabase({
        url: databaseUrl,
        poolSize: databasePoolSize,
        queueLimit: databaseQueueSize,
        onConnectionLost: onProblem,
      })
}

interface Parts {
  readonly config: Config
  readonly secrets: { readonly jwtSecrets: readonly JwtSecret[] }
  readonly provider: RunningKeyProvider
  readonly database: Database
  readonly log: WorkLog
  readonly onProblem: (error: unknown) => void
  /** Absent: for a command. */
  readonly watching: Watching | undefined
}

async function wire(parts: Parts) {
  const { config, provider, database, log, onProblem, watching } = parts
  const background = watching !== undefined
  const meter = watching?.meter
  const traced = watching?.traces?.call
  const outbox = openOutbox(config.outbox)
  const places = await wireBlobs(config, {
    background,
    onRetried: (operation, reason) => {
      meter?.storageRetried({ operation, reason })
    },
  })
  const blobs = loggedBlobStore(watching?.blobs(places.blobs) ?? places.blobs, log)
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
    ...{ config, db, hash, signingKey, writer, isAlone, monthParts, onProblem, meter },
  })
  const { cacheMs, outageMs } = config.keys
  const users = userKeys({ provider, store: db.stores.keys, cacheMs, outageMs, meter })
  const ring = keyRing(users)
  const audit = auditLog(db)
  const running = runningReads({ db, onProblem })
  const shared = await wireRedis({ config, hash, log, background })
  shared.signals.on('reads', () => {
    running.look()
  })
  /** Readings that rest on what was ended end at once, on this node and the others. */
  const ending = thenTell(() => {
    running.look()
    shared.signals.send('reads')
  })
  const { uploads } = config
  const limits = {
    maxBytes: uploads.maxFileBytes,
    allowedTypes: uploads.allowedContentTypes,
    quotaBytes: uploads.quotaBytesPerPerson,
  }
  const open = openEntry({ keyRing: ring })
  const slots = uploadSlots(uploads.maxConcurrent, meter)
  const seal = sealIncoming({ blobs, db, segmentSizeLog2: uploads.segmentSizeLog2, log, meter })
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
    read: startReading({ db, audit, blobs, hash, running, log, meter }),
    update: updateFile({ db }),
    addVersion: addVersion({ db, keyRing: ring, hash, limits }),
    versions: listVersions({ db, audit, openEntry: open }),
    accessHistory: accessHistory({ db, purposeOf }),
    delete: ending(deleteFile(deleting)),
    restore: restoreFile(deleting),
    purge: purgeFile(deleting),
  }
  const waking = {
    wake: () => {
      jobs.runner.wake()
      shared.signals.send('jobs')
    },
  }
  const records = wireRecords({
    ...uploading,
    config,
    audit,
    log,
    traced,
    emergencies: emergency.standing,
    addVersion: files.addVersion,
    deleteFile: files.delete,
    restoreFile: files.restore,
    jobs: waking,
    ending,
  })
  const { assignments } = records
  const alerting = raiseAlerts({ db, assignments, thresholds: config.alerts })
  const erasure = wireErasure({ config, database, db, blobs, provider, signingKey, openOwner })
  const turning = rotationJobs({ db, provider, users })
  const resealing = resealJob(reseal({ db, blobs, keyRing: ring, openEntry: open, log }))
  const identity = wireIdentity({
    ...{ config, jwtSecrets: parts.secrets.jwtSecrets, db, audit, hash, keyRing: ring, log },
    answers: shared.answers,
  })
  const { callers } = identity
  const rights = documentRights({ db, audit, assignments, openEntry: open })
  const permitting = { ...uploading, config, permissions: identity.people.permissions }
  const inBuckets = wireObjects(permitting)
  const tickets = wireTickets({
    ...{ config, db, hash, own, read: files.read, records: records.services, documents: rights },
    ...{ objects: inBuckets.objects, ending, rolesOf: identity.rolesOf },
  })
  const documents = wireDocuments({
    ...{ ...uploading, config, log, rights, tickets: tickets.services.book, assignments },
    ...{ purge: files.purge, jobs: waking, onProblem, blobs },
  })
  const buckets = wireBuckets({
    ...{ ...permitting, wired: inBuckets, tickets: tickets.services.book, deleting, ending, log },
    ...{ purge: files.purge, onProblem },
  })
  const telling = wireOutbox({ settings: config.outbox, outbox, db, log, traced })
  const moving = {
    ...{ openStore: places.openStore, storageDriver: config.storageDriver },
    hasBucket: config.s3.bucket !== undefined,
    moveBlobs: moveBlobs({ db, log }),
  }
  const jobs = wireJobs({
    ...{ config, db, blobs, hash, log, onProblem, openEntry: open, purge: files.purge },
    watch: watching?.jobs,
    handlers: {
      ...{ ...records.jobHandlers, ...erasure.jobHandlers, ...turning, reseal: resealing },
      ...{ ...telling.jobHandlers, ...emergency.jobHandlers, ...identity.jobHandlers },
      ...tickets.jobHandlers,
      ...documents.jobHandlers,
      ...buckets.jobHandlers,
      [DESTROY_BYTES]: destroyBytes({ db, blobs }),
      [MOVE_BLOBS]: moveJob(moving),
      [RAISE_ALERTS]: async (_job, context) => {
        await alerting(context)
      },
    },
    recurring: [
      ...telling.recurring,
      ...emergency.recurring,
      ...identity.recurring,
      ...tickets.recurring,
      ...documents.recurring,
      ...buckets.recurring,
      { kind: RAISE_ALERTS, everyMs: config.alerts.everyMs },
    ],
  })
  const components = {
    database: () => succeeds(database.ping()),
    storage: () => succeeds(blobs.check()),
    keys: () => provider.isAnswering(),
  }
  const scrape =
    watching &&
    (await lookAt(watching.metrics, {
      ...{ config, db, database, slots, running, components },
      auditStatus: auditing.status,
      jobKinds: jobs.kinds,
    }))
  const announced = background
    ? await announceKeys({ db, provider, onProblem, isAlone })
    : undefined
  if (isAlone) await db.stores.jobs.releaseAll()
  shared.signals.on('jobs', () => {
    jobs.runner.wake()
  })
  if (background) jobs.runner.start()
  return {
    config,
    audit,
    shared: { counts: shared.counts, isThere: () => shared.isThere() },
    files,
    records: records.services,
    callers,
    people: identity.people,
    tickets: tickets.services,
    documents: documents.services,
    buckets: buckets.services,
    emergencies: emergency.book,
    disclosures: disclosures({ db, audit, purposeOf }),
    auditing: { reports: auditing.reports, verify: auditing.verify },
    operations: operations({
      ...{ db, provider, hash, rotationJobs: turning, resealJob: resealing },
      ...{ ...erasure.services, ...telling.services },
      ...moving,
      ...wireMove({ database, db, log }),
      ...{ verifyAudit: auditing.verify, auditStatus: auditing.status },
      auditRetention: auditing.retention,
      createAccount: identity.createAccount,
      ...{ ...jobs, ...config.sweep, ...config.scrub },
    }),
    ready: async () => ({
      database: await components.database(),
      storage: await components.storage(),
      keys: await components.keys(),
    }),
    /** Absent: for a command. */
    measured: scrape && {
      scrape,
      http: watching.metrics.http,
      tracer: watching.traces?.requests,
    },
    /** Ends the readings under way, and puts that on record. */
    breakOff: () => running.endAll(),
    close: async () => {
      await running.close()
      await shared.close()
      await jobs.runner.stop()
      await records.close()
      await telling.close()
      await announced?.close()
      await callers.close()
      await auditing.close()
      await provider.close()
      await database.close()
      places.close()
      await watching?.traces?.close()
      indexKey.destroy()
    },
  }
}

/** Calls `tell` when the work is done, and committed. */
function thenTell(tell: () => void): Ending {
  return (work) =>
    async (...given) => {
      const result = await work(...given)
      tell()
      return result
    }
}

async function succeeds(check: Promise<unknown>): Promise<boolean> {
  return await check.then(
    () => true,
    () => false,
  )
}
