import type { Transactions } from '../ports/transactions.js'
import { type FolderNotes, spaceOf } from './folder-notes.js'
import type { ObjectHashes } from './object-hashes.js'
import { foldersOf } from './object-key.js'
import type { BucketStores, FolderRow } from './ports.js'
import { ChangedMeanwhile } from './retire-object.js'

/** A folder a key is in; `row`: it was not there, and is to be made. */
interface Prepared {
  readonly folderHash: Buffer
  readonly row: FolderRow | undefined
}

interface Dependencies {
  readonly db: Transactions<Pick<BucketStores, 'folders'>>
  readonly hashes: ObjectHashes
  readonly notes: Pick<FolderNotes, 'seal'>
}

/** The folders of a key, the outermost first: a key is asked for to seal the names of those that are not there. */
export async function prepareFolders(
  { db, hashes, notes }: Dependencies,
  bucket: string,
  key: string,
): Promise<readonly Prepared[]> {
  const folders = foldersOf(key)
  const wanted = folders.map((folder) => hashes.ofFolder(bucket, folder))
  const known = new Set(
    (await db.stores.folders.known(wanted)).map((found) => found.toString('hex')),
  )
  return await Promise.all(
    folders.map(async (folder) => {
      const folderHash = hashes.ofFolder(bucket, folder)
      const isThere = known.has(folderHash.toString('hex'))
      return { folderHash, row: isThere ? undefined : await notes.seal(bucket, folder) }
    }),
  )
}

/**
 * Makes those that are missing, and keeps all of them until the transaction ends.
 * @throws ChangedMeanwhile where one was removed since they were prepared
 */
export async function keepFolders(
  { folders }: Pick<BucketStores, 'folders'>,
  bucket: string,
  prepared: readonly Prepared[],
): Promise<void> {
  for (const { folderHash, row } of prepared) {
    if (await folders.keep(folderHash)) continue
    if (row === undefined) throw new ChangedMeanwhile()
    if (await folders.insert(row, spaceOf(bucket))) continue
    if (!(await folders.keep(folderHash))) throw new ChangedMeanwhile()
  }
}
