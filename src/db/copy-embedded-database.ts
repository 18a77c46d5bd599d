import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { StrongroomError } from '../errors/strongroom-error.js'
import { lockFolderToRead } from './folder-lock.js'

/**
 * Copies the embedded database in `folder` to `to`, which must not exist, and changes nothing in
 * `folder`: not even its lock file, so that it may lie on a read-only mount.
 *
 * Throws `database_unavailable` when a process has the folder: a copy of what changes is no copy.
 */
export async function copyEmbeddedDatabase(folder: string, to: string): Promise<void> {
  const unlock = await lockFolderToRead(folder)
  try {
    await cp(join(folder, 'cluster'), join(to, 'cluster'), { recursive: true })
  } catch (cause) {
    const detail = `The embedded database in ${folder} cannot be copied`
    throw new StrongroomError('database_unavailable', { detail, cause })
  } finally {
    await unlock()
  }
}
