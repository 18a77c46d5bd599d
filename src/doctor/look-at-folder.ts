import { randomUUID } from 'node:crypto'
import { open, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type Finding, warning, well, wrong } from './finding.js'

const GIB = 1024 ** 3
/** Below both it is nearly full. */
const LEAST_FREE = 2 * GIB
const LEAST_SHARE = 0.1

/** A folder the service keeps things in: that it is there, private, takes a file, and has room. */
export async function lookAtFolder(
  about: string,
  path: string,
  variable: string,
): Promise<Finding[]> {
  let mode: number
  try {
    const facts = await stat(path)
    if (!facts.isDirectory()) {
      return [wrong(about, `${path} is no folder`, `${variable} names one`)]
    }
    mode = facts.mode & 0o777
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      const says = `${path} is not there`
      return [warning(about, says, `the first start makes it; is ${variable} right?`)]
    }
    return [
      wrong(
        about,
        `${path} cannot be looked at (${codeOf(error)})`,
        'its owner is the service’s user',
      ),
    ]
  }
  const isOpen = (mode & 0o077) !== 0
  return [
    isOpen
      ? warning(about, `${path} is open to others (${mode.toString(8)})`, `chmod 700 ${path}`)
      : well(about, `${path} is private`),
    await takesFiles(about, path),
    await hasRoom(about, path),
  ]
}

async function takesFiles(about: string, path: string): Promise<Finding> {
  const name = join(path, `.doctor-${randomUUID()}`)
  try {
    const file = await open(name, 'wx', 0o600)
    try {
      await file.write('strongroom')
      await file.sync()
    } finally {
      await file.close()
      await rm(name, { force: true })
    }
    return well(about, 'it takes files')
  } catch (error) {
    const mend = 'chown it to the service’s user; mount it for writing; make room'
    return wrong(about, `it takes no files (${codeOf(error)})`, mend)
  }
}

async function hasRoom(about: string, path: string): Promise<Finding> {
  const { bavail, blocks, bsize } = await statfs(path)
  const [free, all] = [bavail * bsize, blocks * bsize]
  const says = `${(free / GIB).toFixed(1)} GiB free of ${(all / GIB).toFixed(1)}`
  return free < LEAST_FREE && free < LEAST_SHARE * all
    ? warning(
        about,
        says,
        'a larger disk; nothing is lost when it is full, but nothing more is taken',
      )
    : well(about, says)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
