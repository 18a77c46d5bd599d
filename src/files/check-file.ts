import type { Actor } from '../audit/audit-events.js'
import type { IndexHash } from '../keys/index-hash.js'
import { findDuplicate, type UploadDependencies } from './upload-file.js'

export interface CheckAnswer {
  readonly exists: boolean
  readonly file_id?: string
}

export type CheckFile = (
  actor: Actor,
  content: { readonly sha256: Buffer; readonly size: number },
) => Promise<CheckAnswer>

interface Dependencies extends Pick<UploadDependencies, 'db' | 'audit' | 'openEntry'> {
  readonly hash: Pick<IndexHash, 'fingerprint'>
}

/** Whether the caller has a file of these bytes: among their own only. */
export function checkFile(use: Dependencies): CheckFile {
  const duplicateOf = findDuplicate(use)
  return async (actor, { sha256, size }) => {
    const fingerprint = use.hash.fingerprint(sha256, actor.userId)
    const found = await duplicateOf(actor, sha256, fingerprint, 'file.check')
    const fileId = found?.size === size ? found.file_id : undefined
    await use.audit.note(actor, { action: 'file.check', outcome: 'success', fileId })
    return fileId === undefined ? { exists: false } : { exists: true, file_id: fileId }
  }
}
