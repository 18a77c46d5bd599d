import type { Actor } from '../audit/audit-events.js'
import type { OpenedEntry } from '../files/open-entry.js'
import type { RecordAccess } from './record-access.js'

export interface ReadWish {
  readonly kind: 'view' | 'download'
  readonly head: boolean
  readonly version: number | undefined
  /** Whether a type can be shown without being handed out as a file. */
  readonly isShown: (contentType: string) => boolean
}

export type ReadRecord = (actor: Actor, fileId: string, wish: ReadWish) => Promise<OpenedEntry>

/** Opens a record to be shown or kept. What cannot be shown is kept, which needs the right to. */
export function readRecord({ access }: { access: RecordAccess }): ReadRecord {
  return async (actor, fileId, { kind, head, version, isShown }) => {
    const audit = head ? 'record.head' : (`record.${kind}` as const)
    const options = { audit, version } as const
    if (kind === 'download') return await access.open(actor, fileId, 'download', options)
    const { entry } = await access.permit(actor, fileId, 'view', options)
    const action = isShown(entry.version.contentType) ? 'view' : 'download'
    return await access.open(actor, fileId, action, options)
  }
}
