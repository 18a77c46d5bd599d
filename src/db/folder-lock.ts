import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { StrongroomError } from '../errors/strongroom-error.js'

/**
 * Takes the folder for this process: a lock of the operating system on its file `lock` (an open
 * file description lock on Linux, flock on macOS, LockFileEx on Windows). It ends with the process
 * however that ends, so a stale lock cannot be. Returns what gives it back.
 *
 * Throws `database_unavailable` with the folder in its text when another process holds it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const handle = await open(join(folder, 'lock'), 'a+', 0o600)
  try {
    if (!tryLock(handle.fd)) throw await inUse(handle, folder)
    await handle.truncate(0)
    await handle.write(`${process.pid}\n`)
  } catch (error) {
    await handle.close()
    throw error
  }
  return () => handle.close()
}

/**
 * Keeps others from taking the folder while it is read, without changing anything in it. A folder
 * without a lock file was never in use. Throws as `lockFolder`.
 */
export async function lockFolderToRead(folder: string): Promise<() => Promise<void>> {
  const handle = await openLock(folder)
  if (handle === undefined) return () => Promise.resolve()
  try {
    if (!tryLock(handle.fd, { shared: true })) throw await inUse(handle, folder)
  } catch (error) {
    await handle.close()
    throw error
  }
  return () => handle.close()
}

async function openLock(folder: string): Promise<FileHandle | undefined> {
  try {
    return await open(join(folder, 'lock'), 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function inUse(handle: FileHandle, folder: string): Promise<StrongroomError> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0)
  const owner = buffer.toString('latin1', 0, bytesRead).trim()
  const who = /^\d+$/.test(owner) ? `process ${owner}` : 'another process'
  return new StrongroomError('database_unavailable', {
    detail: `The embedded database in ${folder} is in use by ${who}; only one may open it at a time`,
  })
}
