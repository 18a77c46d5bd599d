import type { Actor } from '../audit/audit-events.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { AddVersion } from '../files/add-version.js'
import { withOpened } from '../files/open-entry.js'
import { receiveForm, textOf } from '../files/receive-form.js'
import type { IncomingLimits, SealIncoming } from '../files/seal-incoming.js'
import type { UploadRequest } from '../files/upload-file.js'
import type { UploadSlots } from '../files/upload-slots.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from './ports.js'
import type { RecordAccess } from './record-access.js'
import { type RecordSummary, summarizeRecord } from './record-summary.js'
import { limitsOf } from './upload-record.js'

export type ReplaceContent = (
  actor: Actor,
  fileId: string,
  request: Pick<UploadRequest, 'parts' | 'headerDigest'>,
) => Promise<RecordSummary>

interface Dependencies {
  readonly db: Transactions<Pick<RecordStores, 'types'>>
  readonly access: RecordAccess
  readonly seal: SealIncoming
  readonly slots: UploadSlots
  readonly addVersion: AddVersion
  readonly limits: IncomingLimits
}

/** A new version of a record, by its uploader: decided before the body is read, and again after. */
export function replaceContent(use: Dependencies): ReplaceContent {
  const options = { audit: 'record.version_add' } as const
  return async (actor, fileId, { parts, headerDigest }) => {
    const { entry } = await use.access.permit(actor, fileId, 'replace_content', options)
    const type = await use.db.stores.types.find(entry.file.recordTypeId ?? '')
    if (type === undefined) throw new StrongroomError('not_found')
    const limits = limitsOf(type, use.limits)
    return await use.slots.run(async () => {
      const { fields, sealed } = await receiveForm(parts, {
        known: ['label', 'notes', 'sha256'],
        headerDigest,
        seal: (file) => use.seal(file, limits),
      })
      const opened = await openOrDiscard(sealed, () =>
        use.access.open(actor, fileId, 'replace_content', options),
      )
      return await withOpened(opened, async () => {
        const label = textOf(fields, 'label')
        const notes = textOf(fields, 'notes')
        const added = await use.addVersion(actor, opened, { sealed, label, notes })
        return summarizeRecord({ ...opened.entry.file, updatedAt: added.updatedAt }, added.metadata)
      })
    })
  }
}

async function openOrDiscard<T>(
  sealed: { close(): void; discard(): Promise<void> },
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open()
  } catch (error) {
    sealed.close()
    await sealed.discard()
    throw error
  }
}
