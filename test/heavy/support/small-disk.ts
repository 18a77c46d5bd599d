import { execFile } from 'node:child_process'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A small file system in memory, mounted: fills, empties, turns read-only. Wants root or sudo. */
export interface SmallDisk {
  readonly folder: string
  /** Bytes free. */
  free(): Promise<number>
  /** Takes all but so many bytes away. */
  fill(leave: number): Promise<void>
  /** Gives them back. */
  empty(): Promise<void>
  readOnly(is: boolean): Promise<void>
  close(): Promise<void>
}

export async function asRoot(command: string, ...args: string[]): Promise<string> {
  const isRoot = process.getuid?.() === 0
  const { stdout } = isRoot ? await run(command, args) : await run('sudo', [command, ...args])
  return stdout
}

export async function smallDisk(mebibytes: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-disk-'))
  const owner = `uid=${process.getuid?.() ?? 0},gid=${process.getgid?.() ?? 0},mode=700`
  await asRoot('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m,${owner}`, 'tmpfs', folder)
  const filler = (n: number) => join(folder, `filler-${n}`)
  let fillers = 0
  const free = async () => {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  }
  const empty = async () => {
    for (; fillers > 0; fillers--) await rm(filler(fillers), { force: true })
  }
  return {
    folder,
    free,
    fill: async (leave) => {
      const bytes = (await free()) - leave
      if (bytes > 0) await writeFile(filler(++fillers), Buffer.alloc(bytes))
    },
    empty,
    readOnly: async (is) => {
      await asRoot('mount', '-o', `remount,${is ? 'ro' : 'rw'}`, folder)
    },
    close: async () => {
      await asRoot('umount', '-l', folder)
      await rm(folder, { recursive: true })
    },
  }
}
