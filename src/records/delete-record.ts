import type { Actor } from '../audit/audit-events.js'
import type { DeleteFile, Deletion, RestoreFile } from '../files/delete-file.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from './ports.js'
import type { RecordAccess } from './record-access.js'

export type DeleteRecord = (actor: Actor, fileId: string) => Promise<Deletion>
export type RestoreRecord = (actor: Actor, fileId: string) => Promise<{ file_id: string }>

interface DeleteDependencies {
  readonly db: Transactions<Pick<RecordStores, 'types'>>
  readonly access: RecordAccess
  readonly deleteFile: DeleteFile
}

/** Deletes a record; bytes and keys are kept until its current version is as old as its type asks for. */
export function deleteRecord({ db, access, deleteFile }: DeleteDependencies): DeleteRecord {
  return async (actor, fileId) => {
    const { entry } = await access.permit(actor, fileId, 'delete', { audit: 'record.delete' })
    const type = await db.stores.types.find(entry.file.recordTypeId ?? '')
    return await deleteFile(actor, entry.file, { retentionDays: type?.retentionDays ?? null })
  }
}

/** Undoes a deletion until the purge. @throws StrongroomError `conflict` where it is live */
export function restoreRecord({
  access,
  restoreFile,
}: {
  readonly access: RecordAccess
  readonly restoreFile: RestoreFile
}): RestoreRecord {
  return async (actor, fileId) => {
    const { entry } = await access.permit(actor, fileId, 'restore', {
      audit: 'record.restore',
      deletedToo: true,
    })
    await restoreFile(actor, entry.file)
    return { file_id: entry.file.fileId }
  }
}
