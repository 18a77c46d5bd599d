import { chmod, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { unlessErrno } from './disk-errors.js'

export const folderMode = 0o700

export interface DurableFolders {
  /** Makes `folder` (0700) and its parents below `root`, and makes their names lasting. */
  make(folder: string): Promise<void>
  /** Makes the names now in `folder` lasting. Calls made while one is under way share the next. */
  sync(folder: string): Promise<void>
  /** Drops what is remembered of `folder`: somebody removed it. */
  forget(folder: string): void
}

/** Folders below `root`, which must exist. Remembers which ones it has made or met. */
export function durableFolders(root: string): DurableFolders {
  const known = new Set([root])
  const inTheMaking = new Map<string, Promise<void>>()
  const sync = sharedSync()

  // The parent is synced even where the folder was met: a process killed before its own sync may
  // have made it.
  async function makeOne(folder: string): Promise<void> {
    await make(dirname(folder))
    await unlessErrno('EEXIST', makePrivateFolder(folder))
    await sync(dirname(folder))
    known.add(folder)
  }

  function make(folder: string): Promise<void> {
    if (known.has(folder)) return Promise.resolve()
    const current = inTheMaking.get(folder)
    if (current !== undefined) return current
    const made = makeOne(folder).finally(() => inTheMaking.delete(folder))
    inTheMaking.set(folder, made)
    return made
  }

  function forget(folder: string): void {
    for (let path = folder; path !== root; path = dirname(path)) known.delete(path)
  }

  return { make, sync, forget }
}

/** Makes `root` and what is missing above it, lasting. A root that exists is left as it is. */
export async function makeRoot(root: string): Promise<void> {
  const first = await mkdir(root, { recursive: true, mode: folderMode })
  if (first === undefined) return
  await chmod(root, folderMode)
  for (let path = root; path.length >= first.length; path = dirname(path)) {
    await syncFolder(dirname(path))
  }
}

async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { mode: folderMode })
  // mkdir's mode is cut by the umask.
  await chmod(folder, folderMode)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * One fsync of a folder covers every name put into it before. A call that comes while one runs
 * must wait for another, which it shares with all that come until that one starts.
 */
function sharedSync(): (folder: string) => Promise<void> {
  const running = new Map<string, Promise<void>>()
  const queued = new Map<string, Promise<void>>()

  function start(folder: string): Promise<void> {
    const sync = syncFolder(folder).finally(() => running.delete(folder))
    running.set(folder, sync)
    return sync
  }

  function queue(folder: string, current: Promise<void>): Promise<void> {
    const begin = () => {
      queued.delete(folder)
      return start(folder)
    }
    const next = current.then(begin, begin)
    queued.set(folder, next)
    return next
  }

  return (folder) => {
    const current = running.get(folder)
    return queued.get(folder) ?? (current === undefined ? start(folder) : queue(folder, current))
  }
}
