import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { OpenEntry, OpenedEntry } from '../files/open-entry.js'
import { openListed } from '../files/open-listed.js'
import type { FileCursor } from '../files/ports.js'
import { listableBelow, mayOnObject } from '../people/policy.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import type { BucketRights } from './bucket-rights.js'
import { type FolderNotes, spaceOf } from './folder-notes.js'
import type { ObjectHashes } from './object-hashes.js'
import { folderIn, nextOnTheWay, parentOf } from './object-key.js'
import { checkKey } from './open-objects.js'
import type { BucketStores, Child, ChildQuery, SealedPath } from './ports.js'

export interface ObjectQuery {
  readonly bucket: string
  /** A folder, with or without its last `/`; empty: the bucket itself. */
  readonly prefix: string
  readonly limit: number
  readonly after: FileCursor | undefined
}

/** An object as lists tell of it. */
export interface ListedObject {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly lastModified: Date
  readonly contentType: string
}

export interface ObjectPage {
  readonly objects: ListedObject[]
  /** With their last `/`. */
  readonly commonPrefixes: string[]
  /** Ids of those that are there and cannot be opened. */
  readonly damaged: string[]
  readonly next: FileCursor | undefined
}

interface Dependencies {
  readonly db: Transactions<Pick<BucketStores, 'objects' | 'files'>>
  readonly audit: AuditLog
  readonly hashes: ObjectHashes
  readonly rights: BucketRights
  readonly folderNotes: Pick<FolderNotes, 'open'>
  readonly openEntry: OpenEntry
  readonly log: Pick<WorkLog, 'error'>
}

export type ListObjects = (actor: Actor, query: ObjectQuery) => Promise<ObjectPage>

/**
 * What is directly in a folder, objects and folders together, oldest first: what is replaced while somebody turns the
 * pages is told of twice, never not at all. Where permissions cover only some of it, that, and the way there.
 * Throws `invalid_field`, `not_found`, `forbidden`.
 */
export function listObjects(use: Dependencies): ListObjects {
  const { db, audit, hashes, rights } = use
  return async (actor, { bucket, prefix, limit, after }) => {
    const folder = folderIn(prefix)
    const about = { action: 'object.list', subjectId: rights.named(bucket) } as const
    const only = await permitted(use, actor, { bucket, folder })
    const query = { folderHash: hashes.ofFolder(bucket, folder), limit: limit + 1, after }
    const found = await db.stores.objects.children({ ...query, ...only })
    const page = found.slice(0, limit)
    const folders = await foldersIn(use, page, folder)
    const { listed, damaged } = await objectsIn(use, actor, { bucket, folder, page })
    await audit.note(actor, { ...about, outcome: 'success' })
    const last = found.length > limit ? page.at(-1) : undefined
    return {
      objects: listed,
      commonPrefixes: folders.paths.map((path) => `${path}/`),
      damaged: [...folders.damaged, ...damaged],
      next: last === undefined ? undefined : { at: last.at, id: last.id },
    }
  }
}

interface Place {
  readonly bucket: string
  readonly folder: string
}

/** Nothing where all of the folder may be listed; else what of it may be, on the way to what there is. */
async function permitted(
  { db, hashes, rights }: Dependencies,
  actor: Actor,
  { bucket, folder }: Place,
): Promise<Pick<ChildQuery, 'only'>> {
  const permissions = await rights.termsOf(actor, bucket)
  const decision = mayOnObject('list', { key: folder, permissions })
  if (decision.allow) return {}
  const below = listableBelow(folder, permissions)
  if (below.length === 0) {
    const code = decision.code === 'forbidden' ? 'forbidden' : 'not_found'
    return await rights.refuse(actor, code, {
      action: 'object.list',
      subjectId: rights.named(bucket),
    })
  }
  const hashesOf = (path: string) => [hashes.ofFolder(bucket, path), hashes.ofKey(bucket, path)]
  const there = new Set(
    (await db.stores.objects.there(below.flatMap(hashesOf))).map((hash) => hash.toString('hex')),
  )
  const leading = below.filter((path) =>
    hashesOf(path).some((hash) => there.has(hash.toString('hex'))),
  )
  const folders = leading.map((path) => hashes.ofFolder(bucket, nextOnTheWay(folder, path)))
  return { only: { folders, keys: below.map((path) => hashes.ofKey(bucket, path)) } }
}

async function foldersIn(
  { folderNotes, log }: Dependencies,
  page: readonly Child[],
  folder: string,
) {
  const paths: string[] = []
  const damaged: string[] = []
  const open = async (id: string, sealed: SealedPath) => {
    try {
      const path = await folderNotes.open(sealed)
      if (parentOf(path) !== folder) throw elsewhere()
      paths.push(path)
    } catch (error) {
      if (!isStrongroomError(error, 'damaged')) throw error
      damaged.push(id)
      log.error({ folder_id: id }, 'damaged')
    }
  }
  for (const child of page) if (child.kind === 'folder') await open(child.id, child.folder)
  return { paths, damaged }
}

interface Listing extends Place {
  readonly page: readonly Child[]
}

async function objectsIn(use: Dependencies, actor: Actor, { bucket, folder, page }: Listing) {
  const wanted = page.filter((child) => child.kind === 'object')
  const ids = wanted.map(({ id }) => id)
  const entries = await use.db.stores.files.entries(ids, spaceOf(bucket))
  const byId = new Map(entries.map((entry) => [entry.file.fileId, entry]))
  const hashOf = new Map(wanted.map(({ id, keyHash }) => [id, keyHash]))
  const held = ids.flatMap((id) => {
    const entry = byId.get(id)
    const [grant] = entry?.held ?? []
    return entry === undefined || grant === undefined ? [] : [{ entry, grant }]
  })
  const openEntry: OpenEntry = async (entry, grant) => {
    const keyHash = hashOf.get(entry.file.fileId) ?? Buffer.alloc(0)
    const opened = checkKey(use.hashes, { bucket, keyHash }, await use.openEntry(entry, grant))
    if (parentOf(opened.metadata.filename) === folder) return opened
    opened.close()
    throw elsewhere()
  }
  return await openListed({ ...use, openEntry }, actor, 'object.list', held, describe)
}

/** A row that was put into another folder: its name is not for whoever may list that. */
const elsewhere = () => new StrongroomError('damaged', { context: { reason: 'folder' } })

function describe({ entry, metadata }: OpenedEntry): ListedObject {
  return {
    ...{ key: metadata.filename, size: metadata.size, contentType: metadata.content_type },
    lastModified: entry.version.createdAt,
  }
}
