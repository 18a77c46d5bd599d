import { createHash } from 'node:crypto'
import { access, cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Makes `folder` one that the embedded database opens, with nothing in it. */
export async function copyEmptyCluster(folder: string): Promise<void> {
  await cp(await emptyCluster(), folder, { recursive: true })
}

/** Making a cluster takes seconds: one is kept for all test files and runs, and copied. */
async function emptyCluster(): Promise<string> {
  const kept = join(root, 'node_modules/.cache/strongroom-clusters')
  await mkdir(kept, { recursive: true, mode: 0o700 })
  const place = join(kept, await makersDigest())
  if (await isThere(place)) return place
  const draft = await mkdtemp(join(kept, 'draft-'))
  const database = await openEmbeddedDatabase({ folder: draft })
  await database.close()
  try {
    await rename(draft, place)
  } catch (error) {
    // Another test file was faster; its cluster is as good.
    if (!(await isThere(place))) throw error
    await rm(draft, { recursive: true })
  }
  return place
}

/** Changes with whatever makes a cluster: the engine's version and our worker. */
async function makersDigest(): Promise<string> {
  const hash = createHash('sha256')
  for (const file of [
    'node_modules/@electric-sql/pglite/package.json',
    'src/db/embedded-worker.ts',
  ]) {
    hash.update(await readFile(join(root, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
