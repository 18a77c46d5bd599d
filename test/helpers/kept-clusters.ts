import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openEmbeddedDatabase } from '../../src/db/embedded-database.js'
import { migrate } from '../../src/db/migrate.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

/** What a kept cluster of the embedded database holds: nothing, or the schema and no row. */
export type Contents = 'empty' | 'migrated'

/**
 * Makes `folder`, which **must not** be there yet, one that the embedded database opens. Making a cluster and its
 * tables takes seconds of the processor: one of each is kept for all test files and runs, and copied.
 */
export async function copyCluster(contents: Contents, folder: string): Promise<void> {
  // Not fs.cp: it takes three times as long for these thousand files.
  await run('cp', ['-R', await keptCluster(contents), folder])
}

async function keptCluster(contents: Contents): Promise<string> {
  const kept = join(root, 'node_modules/.cache/strongroom-clusters')
  await mkdir(kept, { recursive: true, mode: 0o700 })
  const place = join(kept, `${contents}-${await makersDigest(contents)}`)
  if (await isThere(place)) return place
  const draft = await mkdtemp(join(kept, 'draft-'))
  const folder = join(draft, 'database')
  if (contents === 'migrated') await copyCluster('empty', folder)
  const database = await openEmbeddedDatabase({ folder })
  if (contents === 'migrated') await migrate(database)
  await database.close()
  try {
    await rename(folder, place)
  } catch (error) {
    // Another test file was faster; its cluster is as good.
    if (!(await isThere(place))) throw error
  }
  await rm(draft, { recursive: true })
  return place
}

/** Changes with whatever makes a cluster: the engine's version, our worker, and the tables. */
async function makersDigest(contents: Contents): Promise<string> {
  const engine = await digestOf([
    'node_modules/@electric-sql/pglite/package.json',
    'src/db/embedded-worker.ts',
  ])
  return contents === 'empty' ? engine : `${engine}-${await tablesDigest()}`
}

/** Changes with the tables of the service. */
export async function tablesDigest(): Promise<string> {
  const migrations = 'src/db/migrations'
  const names = (await readdir(join(root, migrations))).sort()
  return await digestOf(['src/db/migrate.ts', ...names.map((name) => join(migrations, name))])
}

async function digestOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) hash.update(await readFile(join(root, file)))
  return hash.digest('hex').slice(0, 16)
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
