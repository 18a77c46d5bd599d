import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { StrongroomError } from '../errors/strongroom-error.js'
import {
  assertSealedId,
  type BlobStore,
  isSealedId,
  type SealedBlob,
  type StoredBlob,
} from './blob-store.js'
import { errnoOf, onDisk, storageError, unlessErrno } from './disk-errors.js'
import { type DurableFolders, durableFolders, makeRoot } from './durable-folders.js'
import { interruptible } from './interruptible.js'
import { writeBehind } from './write-behind.js'

const fileMode = 0o600
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW
const readSize = 256 * 1024
const shard = /^[0-9a-f]{2}$/

interface Place {
  folder: string
  path: string
}

interface Disk {
  root: string
  /** Where bytes lie until they are complete: in `root`, so that a link can give them their place. */
  incoming: string
  /** Where bytes lie that were set aside, under their ids. */
  aside: string
  folders: DurableFolders
  /** Names in `incoming` that a put of this process is writing. */
  writing: Set<string>
}

/**
 * Sealed bytes below `folder`, as `ab/cd/<sealed id>`, files 0600 and folders 0700 whatever the umask.
 * A name at its place is always a complete, synced file: bytes are written under a temporary name,
 * synced, linked (which, unlike rename, never replaces), and the folder is synced. Needs a
 * file system with hard links. Makes `folder` where it is missing; throws `storage_unavailable`.
 */
export async function localDiskBlobStore(options: { folder: string }): Promise<BlobStore> {
  const root = resolve(options.folder)
  await onDisk(makeRoot(root))
  const incoming = join(root, 'incoming')
  const aside = join(root, 'aside')
  const disk = { root, incoming, aside, folders: durableFolders(root), writing: new Set<string>() }
  for (const each of [incoming, aside]) await onDisk(disk.folders.make(each))
  const store: BlobStore = {
    put: (id, bytes, { signal } = {}) => put(disk, id, bytes, signal),
    open: (id) => openBlob(() => openToRead(disk, id), id),
    remove: (id) => remove(disk, id),
    list: () => list(disk),
    setAside: (id) => onDisk(setAside(disk, id)),
    removeAside: (olderThanMs, { dryRun } = { dryRun: false }) =>
      onDisk(removeOld(disk.aside, 'ctime', olderThanMs, { dryRun })),
    removeDebris: (olderThanMs, { dryRun } = { dryRun: false }) =>
      onDisk(removeOld(disk.incoming, 'mtime', olderThanMs, { dryRun, except: disk.writing })),
    check: () => onDisk(check(disk)),
  }
  await store.check()
  return store
}

/**
 * Opens the sealed bytes below `folder`, and changes nothing there: for a copy that is to stay as it is.
 * Those set aside are opened where they lie.
 */
export function localDiskReader({ folder }: { folder: string }): Pick<BlobStore, 'open'> {
  const root = resolve(folder)
  return { open: (id) => openBlob(() => openWhereItLies(root, id), id) }
}

async function openWhereItLies(root: string, id: string): Promise<FileHandle> {
  const { path } = placeOf({ root }, id)
  try {
    const atItsPlace = await unlessErrno('ENOENT', open(path, readFlags))
    return atItsPlace ?? (await open(join(root, 'aside', id), readFlags))
  } catch (error) {
    throw openError(id, error)
  }
}

/** The only maker of paths from ids. */
function placeOf(disk: Pick<Disk, 'root'>, id: string): Place {
  assertSealedId(id)
  const folder = join(disk.root, id.slice(0, 2), id.slice(2, 4))
  return { folder, path: join(folder, id) }
}

function temporaryName(id: string): string {
  return `${id}.${randomBytes(4).toString('hex')}`
}

async function put(
  disk: Disk,
  id: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<{ length: number }> {
  const place = placeOf(disk, id)
  const name = temporaryName(id)
  const temporary = join(disk.incoming, name)
  disk.writing.add(name)
  const folderMade = onDisk(disk.folders.make(place.folder))
  folderMade.catch(() => undefined)
  try {
    const length = await writeDurably(temporary, interruptible(bytes, signal))
    await folderMade
    signal?.throwIfAborted()
    await onDisk(giveItsPlace(disk, temporary, place))
    return { length }
  } finally {
    await Promise.allSettled([folderMade, unlink(temporary)])
    disk.writing.delete(name)
  }
}

/** A new file of exactly `bytes`, synced; its length. */
async function writeDurably(path: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  const handle = await onDisk(open(path, 'wx', fileMode))
  const writer = writeBehind(handle)
  try {
    await onDisk(handle.chmod(fileMode))
    for await (const piece of bytes) await onDisk(writer.write(piece))
    return await onDisk(writer.end())
  } finally {
    await writer.settled()
    await onDisk(handle.close())
  }
}

async function giveItsPlace(disk: Disk, temporary: string, place: Place): Promise<void> {
  await linkNew(disk, temporary, place)
  try {
    await disk.folders.sync(place.folder)
  } catch (error) {
    await unlink(place.path).catch(() => undefined)
    throw error
  }
}

async function linkNew(disk: Disk, temporary: string, place: Place): Promise<void> {
  try {
    await link(temporary, place.path)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw new StrongroomError('internal', { cause: error })
    if (errnoOf(error) !== 'ENOENT') throw error
    // Somebody tidied an empty folder away.
    disk.folders.forget(place.folder)
    await disk.folders.make(place.folder)
    await link(temporary, place.path)
  }
}

async function remove(disk: Disk, id: string): Promise<void> {
  const place = placeOf(disk, id)
  await onDisk(unlinkIn(disk, place.folder, id))
  await onDisk(unlinkIn(disk, disk.aside, id))
}

/** Lasting; nothing where it is not there. */
async function unlinkIn(disk: Disk, folder: string, name: string): Promise<void> {
  await unlessErrno(
    'ENOENT',
    unlink(join(folder, name)).then(() => disk.folders.sync(folder)),
  )
}

async function setAside(disk: Disk, id: string): Promise<void> {
  const place = placeOf(disk, id)
  await unlessErrno('ENOENT', rename(place.path, join(disk.aside, id)))
  await disk.folders.sync(disk.aside)
  await unlessErrno('ENOENT', disk.folders.sync(place.folder))
}

/** To its place again, where it was set aside, without a moment in which it is nowhere. */
async function bringBack(disk: Disk, id: string): Promise<void> {
  const [place, path] = [placeOf(disk, id), join(disk.aside, id)]
  if ((await unlessErrno('ENOENT', stat(path))) === undefined) return
  await disk.folders.make(place.folder)
  // Another reader may be doing the same.
  await unlessErrno('EEXIST', unlessErrno('ENOENT', link(path, place.path)))
  await disk.folders.sync(place.folder)
  await unlinkIn(disk, disk.aside, id)
}

async function openBlob(openFile: () => Promise<FileHandle>, id: string): Promise<SealedBlob> {
  const handle = await openFile()
  let closing: Promise<void> | undefined
  const close = () => (closing ??= onDisk(handle.close()))
  try {
    const facts = await onDisk(handle.stat())
    if (!facts.isFile()) throw damaged(id, 'not a file')
    return {
      length: facts.size,
      read: (start, end) => read(handle, id, facts.size, start, end),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function openToRead(disk: Disk, id: string, wasAside = false): Promise<FileHandle> {
  try {
    return await open(placeOf(disk, id).path, readFlags)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && !wasAside) {
      await onDisk(bringBack(disk, id))
      return await openToRead(disk, id, true)
    }
    throw openError(id, error)
  }
}

function openError(id: string, error: unknown): StrongroomError {
  const errno = errnoOf(error)
  return errno === 'ENOENT' || errno === 'ELOOP' ? damaged(id, error) : storageError(error)
}

function damaged(id: string, cause: unknown): StrongroomError {
  return new StrongroomError('damaged', { context: { sealed_id: id }, cause })
}

/** Reads one piece ahead of its reader. */
async function* read(
  handle: FileHandle,
  id: string,
  length: number,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void> {
  if (!(start >= 0 && start <= end && end <= length)) throw new RangeError('outside the blob')
  const fetchAt = (position: number) => {
    const piece = readPiece(handle, id, position, Math.min(end, position + readSize))
    piece.catch(() => undefined)
    return piece
  }
  let next = start < end ? fetchAt(start) : undefined
  for (let position = start; next !== undefined; ) {
    const piece = await next
    position += piece.length
    next = position < end ? fetchAt(position) : undefined
    yield piece
  }
}

/** Exactly the bytes asked for: read(2) may give less than it was asked, and gives 0 at the end. */
async function readPiece(
  handle: FileHandle,
  id: string,
  start: number,
  end: number,
): Promise<Uint8Array> {
  const piece = Buffer.allocUnsafeSlow(end - start)
  for (let filled = 0; filled < piece.length; ) {
    const { bytesRead } = await onDisk(
      handle.read(piece, filled, piece.length - filled, start + filled),
    )
    if (bytesRead === 0) throw damaged(id, 'shorter than when it was opened')
    filled += bytesRead
  }
  return piece
}

async function* list(disk: Disk): AsyncGenerator<StoredBlob, void> {
  for (const first of await shardsIn(disk.root)) {
    for (const second of await shardsIn(join(disk.root, first))) {
      const folder = join(disk.root, first, second)
      for (const id of await namesIn(folder)) {
        if (!isSealedId(id) || !id.startsWith(first + second)) continue
        const facts = await fileFacts(join(folder, id))
        if (facts !== undefined) yield { id, ...facts }
      }
    }
  }
}

async function shardsIn(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => shard.test(name))
}

async function namesIn(folder: string): Promise<string[]> {
  return (await onDisk(readdir(folder))).sort()
}

/** Length and time of last change; nothing where it was removed meanwhile. */
async function fileFacts(path: string): Promise<{ length: number; modifiedAt: Date } | undefined> {
  try {
    const { size, mtime } = await stat(path)
    return { length: size, modifiedAt: mtime }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw storageError(error)
  }
}

/** Of what is set aside the time of the renaming counts (ctime), as its content is of any age. */
async function removeOld(
  folder: string,
  since: 'mtime' | 'ctime',
  olderThanMs: number,
  { dryRun, except }: { dryRun: boolean; except?: ReadonlySet<string> },
): Promise<number> {
  let removed = 0
  for (const name of await namesIn(folder)) {
    if (except?.has(name) === true) continue
    const path = join(folder, name)
    const facts = await unlessErrno('ENOENT', stat(path))
    if (facts === undefined || Date.now() - facts[since].getTime() < olderThanMs) continue
    if (!dryRun) await rm(path, { force: true })
    removed += 1
  }
  return removed
}

/** Does what a put needs: makes a file, writes, links. */
async function check(disk: Disk): Promise<void> {
  const name = temporaryName('check')
  const path = join(disk.incoming, name)
  const linked = `${path}.link`
  try {
    const handle = await open(path, 'wx', fileMode)
    try {
      await handle.chmod(fileMode)
      await handle.write('strongroom')
    } finally {
      await handle.close()
    }
    await link(path, linked)
  } finally {
    await rm(path, { force: true })
    await rm(linked, { force: true })
  }
}
