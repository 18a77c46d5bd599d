import { randomUUID } from 'node:crypto'
import type { Actor } from '../../src/audit/audit-events.js'
import { auditLog } from '../../src/audit/audit-log.js'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { localDiskBlobStore } from '../../src/blobs/local-disk-blob-store.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { addVersion } from '../../src/files/add-version.js'
import { listFiles } from '../../src/files/list-files.js'
import { openEntry } from '../../src/files/open-entry.js'
import { ownFiles } from '../../src/files/own-files.js'
import { startReading } from '../../src/files/read-file.js'
import type { IncomingPart } from '../../src/files/receive-form.js'
import { runningReads } from '../../src/files/running-reads.js'
import { type IncomingFile, sealIncoming } from '../../src/files/seal-incoming.js'
import { uploadFile } from '../../src/files/upload-file.js'
import { uploadSlots } from '../../src/files/upload-slots.js'
import { idempotency } from '../../src/idempotency/idempotency.js'
import { openDeploymentKeys } from '../../src/keys/deployment-keys.js'
import { indexHash } from '../../src/keys/index-hash.js'
import { keyRing } from '../../src/keys/key-ring.js'
import { localKeyProvider } from '../../src/keys/local-key-provider.js'
import { userKeys } from '../../src/keys/user-keys.js'
import { makeLogger } from '../../src/log.js'

export const limits = { maxBytes: 1_000_000, allowedTypes: ['text/plain'], quotaBytes: 0 }
export const textOf = (userId: string) => `${userId} wrote this.`.padEnd(100, '.')

export type Service = Awaited<ReturnType<typeof makeService>>

/** What `compose` wires, on a database and a folder of the test's. */
export async function makeService(
  database: Database,
  folder: string,
  masterKeys: readonly string[] = [FernetKey.generate().exportText()],
) {
  const db = transactions(database, unsignedWriter)
  const blobs = await localDiskBlobStore({ folder })
  const provider = localKeyProvider(masterKeys)
  const hash = indexHash(await openDeploymentKeys({ provider, store: db.stores.keys }))
  const users = userKeys({ provider, store: db.stores.keys })
  const ring = keyRing(users)
  const audit = auditLog(db)
  const log = makeLogger({ logLevel: 'silent' })
  const onProblem = () => undefined
  const running = runningReads({ db, onProblem })
  const open = openEntry({ keyRing: ring })
  const own = ownFiles({ db, audit, openEntry: open })
  const seal = sealIncoming({ blobs, db, segmentSizeLog2: 16, log })
  const upload = uploadFile({
    db,
    audit,
    seal,
    slots: uploadSlots(4),
    keyRing: ring,
    hash,
    idempotency: idempotency({ db, hash, onProblem }),
    openEntry: open,
    ownFiles: own,
    limits,
  })
  const read = startReading({ db, audit, blobs, hash, running, log })
  const list = listFiles({ db, audit, openEntry: open, log })
  const add = addVersion({ db, keyRing: ring, hash, limits })
  return {
    ...{ db, database, blobs, folder, open, own, upload, read, running, list, seal, add },
    ...{ provider, users, ring, audit, hash },
  }
}

export function actor(userId: string): Actor {
  return { userId, roles: ['patient'], ip: '192.0.2.1', userAgent: 'test', requestId: randomUUID() }
}

export function fileOf(text: string): IncomingFile {
  const bytes = (async function* () {
    yield await Promise.resolve(Buffer.from(text))
  })()
  return { filename: 'a.txt', contentType: 'text/plain', contentDigest: undefined, bytes }
}

async function* form(text: string): AsyncGenerator<IncomingPart, void> {
  yield await Promise.resolve({ kind: 'file' as const, name: 'file', ...fileOf(text) })
}

export interface Held {
  readonly userId: string
  readonly fileId: string
  readonly sealedId: string
  readonly grantId: string
}

export async function holds(
  service: Pick<Service, 'upload' | 'db'>,
  userId: string,
  text = textOf(userId),
): Promise<Held> {
  const request = { headerDigest: undefined, idempotencyKey: undefined }
  const made = await service.upload(actor(userId), { ...request, parts: form(text) })
  const entry = await service.db.stores.files.entry(made.file_id, userId)
  const grantId = entry?.held[0]?.grantId
  if (entry === undefined || grantId === undefined) throw new Error('nothing was stored')
  return { userId, fileId: made.file_id, sealedId: entry.version.sealedId, grantId }
}
