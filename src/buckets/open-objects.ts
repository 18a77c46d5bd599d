import type { Actor, AuditAction } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { cleanFileName } from '../files/file-name.js'
import type { OpenEntry, OpenedEntry } from '../files/open-entry.js'
import { opening } from '../files/own-files.js'
import type { FileEntry, HeldGrant } from '../files/ports.js'
import type { Transactions } from '../ports/transactions.js'
import type { BucketRights } from './bucket-rights.js'
import { spaceOf } from './folder-notes.js'
import type { ObjectHashes } from './object-hashes.js'
import type { BucketStores, ObjectRow } from './ports.js'

interface Dependencies {
  readonly db: Transactions<Pick<BucketStores, 'objects' | 'files'>>
  readonly audit: AuditLog
  readonly hashes: ObjectHashes
  readonly rights: BucketRights
  readonly openEntry: OpenEntry
}

/** An object, and the grant of its bucket's space by which whoever may read it opens it. */
export interface HeldObject {
  readonly row: ObjectRow
  readonly entry: FileEntry
  readonly grant: HeldGrant
}

/** An object that somebody may read now. */
export interface OpenedObject {
  /** With the last part of its key for a file name. */
  readonly opened: OpenedEntry
  /** Whether they still may. */
  readonly stillHolds: () => Promise<boolean>
}

/** Objects for those whose permissions say so; nobody's role, and nobody's own grant. */
export interface OpenObjects {
  find(bucket: string, key: string): Promise<HeldObject | undefined>
  /** @throws StrongroomError `not_found`, `forbidden`, on record as refusals of `action`; `damaged` */
  open(actor: Actor, fileId: string, action: AuditAction): Promise<OpenedObject>
}

export function openObjects(use: Dependencies): OpenObjects {
  const { db, audit, hashes, rights, openEntry } = use
  const held = async (row: ObjectRow | undefined): Promise<HeldObject | undefined> => {
    if (row === undefined) return undefined
    const entry = await db.stores.files.entry(row.fileId, spaceOf(row.bucket))
    const [grant] = entry?.held ?? []
    if (entry === undefined || grant === undefined || entry.file.deletedAt !== null)
      return undefined
    return { row, entry, grant }
  }
  return {
    find: async (bucket, key) => held(await db.stores.objects.find(hashes.ofKey(bucket, key))),
    open: async (actor, fileId, action) => {
      const found = await held(await db.stores.objects.findByFile(fileId))
      if (found === undefined) return await rights.refuse(actor, 'not_found', { action, fileId })
      const { row, entry, grant } = found
      const opened = await opening(audit, actor, { entry, action }, async () =>
        checkKey(hashes, row, await openEntry(entry, grant)),
      )
      try {
        const wish = { action: 'read', bucket: row.bucket, key: opened.metadata.filename } as const
        await rights.check(actor, wish, { action, fileId })
        const filename = cleanFileName(wish.key)
        return {
          opened: { ...opened, metadata: { ...opened.metadata, filename } },
          stillHolds: () => rights.holds(actor, wish),
        }
      } catch (error) {
        opened.close()
        throw error
      }
    },
  }
}

/**
 * The sealed metadata, not the row, say which key a file is found by: a row that was moved hands nothing out.
 * @throws StrongroomError `damaged`; the entry is closed then
 */
export function checkKey(
  hashes: ObjectHashes,
  { bucket, keyHash }: Pick<ObjectRow, 'bucket' | 'keyHash'>,
  opened: OpenedEntry,
): OpenedEntry {
  if (hashes.ofKey(bucket, opened.metadata.filename).equals(keyHash)) return opened
  opened.close()
  throw new StrongroomError('damaged', { context: { reason: 'object_key' } })
}
