import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { parseHexDigest } from '../files/content-digest.js'
import type { PurgeFile } from '../files/delete-file.js'
import type { OpenEntry } from '../files/open-entry.js'
import type { OpenWhole } from '../files/open-whole.js'
import { opening } from '../files/own-files.js'
import type { UploadSlots } from '../files/upload-slots.js'
import type { Confirmation, ConfirmUpload } from './confirm-upload.js'
import type { DocumentNotes } from './document-facts.js'
import type { DocumentRights } from './document-rights.js'
import type { DocumentSummary } from './document-summary.js'
import { notingRefusal } from './noting-refusal.js'
import { checkWhole, type SaidParts, wholeSize } from './part-rules.js'
import { dropParts, ownPartsUpload } from './parts-upload.js'
import type { DocumentPartRow, DocumentRow } from './ports.js'
import { notAsAsked } from './said-and-sent.js'
import { type BytesClaim, type TakeBytesUse, takeBytes } from './take-bytes.js'

/** What is said of the whole; what is not said is not asked of it. */
export interface Completion extends SaidParts, Pick<Confirmation, 'size' | 'sha256'> {}

interface Dependencies extends TakeBytesUse {
  readonly audit: AuditLog
  readonly notes: DocumentNotes
  readonly rights: Pick<DocumentRights, 'checkAsker'>
  readonly slots: UploadSlots
  readonly openWhole: OpenWhole
  readonly openEntry: OpenEntry
  readonly confirm: ConfirmUpload
  readonly purge: PurgeFile
  readonly onProblem: (error: unknown) => void
}

export type CompleteParts = (actor: Actor, id: string, said: Completion) => Promise<DocumentSummary>

/**
 * Seals the whole from its parts, in one pass, under a key of its own, and confirms it. The parts are destroyed with
 * the commit. Two at once are one; once more is answered the same.
 * Throws `not_found`, `not_uploaded` (a part is missing), `content_mismatch`, `digest_mismatch`, `ticket_over` (given
 * up), `conflict` (a part was sent anew meanwhile), and what sealing and confirming throw.
 */
export function completeParts(use: Dependencies): CompleteParts {
  const makeWhole = onePassEach(makingWhole(use))
  return async (actor, id, said) => {
    const row = await ownPartsUpload(use, actor, id, 'document.receive')
    if (row.state === 'failed') throw new StrongroomError('ticket_over')
    const { fileId, key } = row
    if (row.state === 'Awaiting') {
      const patientId = row.kind === 'record' ? row.ownerId : undefined
      const about = { action: 'document.receive', fileId, patientId } as const
      await notingRefusal(use, actor, about, () => makeWhole(actor, row, said))
    }
    return await use.confirm(actor, { key, size: said.size, sha256: said.sha256 })
  }
}

type MakeWhole = (actor: Actor, row: DocumentRow, said: Completion) => Promise<void>

/** One at a time of each document, in this process: whoever asks again meanwhile waits, and takes no slot. */
function onePassEach(makeWhole: MakeWhole): MakeWhole {
  const underWay = new Map<string, Promise<void>>()
  return async (actor, row, said) => {
    const { fileId } = row
    for (let other = underWay.get(fileId); other !== undefined; other = underWay.get(fileId)) {
      await Promise.allSettled([other])
    }
    const pass = makeWhole(actor, row, said)
    underWay.set(fileId, pass)
    try {
      await pass
    } finally {
      underWay.delete(fileId)
    }
  }
}

function makingWhole(use: Dependencies): MakeWhole {
  const { documents } = use.db.stores
  const sealWhole = sealingWhole(use)
  const isMade = async ({ fileId }: DocumentRow) => {
    const state = (await documents.find(fileId))?.state
    return state === 'uploading' || state === 'Completed'
  }
  return async (actor, row, said) => {
    if (await isMade(row)) return
    try {
      await sealWhole(actor, row, said)
    } catch (error) {
      // Another was quicker, and took the parts away: what it made is what is confirmed.
      if (!(await isMade(row))) throw error
    }
  }
}

function sealingWhole(use: Dependencies): MakeWhole {
  const { db, notes, slots } = use
  const take = takeBytes(use)
  return async (actor, row, said) => {
    const facts = await notes.open(row)
    const parts = await db.stores.documentParts.list(row.fileId)
    checkWhole(parts, said)
    const size = wholeSize(parts)
    if (size !== (said.size ?? size) || size !== (facts.size ?? size)) throw notAsAsked('size')
    const sha256 = said.sha256 === undefined ? undefined : parseHexDigest(said.sha256)
    const { claim, dropped } = claiming(actor, row, parts)
    const bytes = allBytes(use, actor, parts)
    await slots.run(() => take(actor, { row, facts, bytes, sha256, claim }))
    for (const fileId of dropped()) await use.purge(actor, { fileId }).catch(use.onProblem)
  }
}

/** Good for as long as the parts are those that were read; they end with it. */
function claiming(actor: Actor, { fileId }: DocumentRow, parts: readonly DocumentPartRow[]) {
  let dropped: readonly string[] = []
  const claim: BytesClaim = {
    freedBytes: wholeSize(parts),
    spend: async (stores) => {
      const now = await stores.documentParts.list(fileId)
      if (idsOf(now) !== idsOf(parts)) throw new StrongroomError('conflict')
      dropped = await dropParts(stores, actor, fileId, new Date())
      return true
    },
  }
  return { claim, dropped: () => dropped }
}

const idsOf = (parts: readonly DocumentPartRow[]) => parts.map(({ fileId }) => fileId).join()

async function* allBytes(
  use: Dependencies,
  actor: Actor,
  parts: readonly DocumentPartRow[],
): AsyncGenerator<Buffer, void> {
  for (const part of parts) {
    const entry = await use.db.stores.files.awaitingEntry(part.fileId, actor.userId)
    const grant = entry?.held[0]
    // Sent anew meanwhile, or its person was erased.
    if (entry === undefined || grant === undefined) throw new StrongroomError('conflict')
    const about = { entry, action: 'document.receive' } as const
    const opened = await opening(use.audit, actor, about, () => use.openEntry(entry, grant))
    try {
      yield* use.openWhole(opened)
    } finally {
      opened.close()
    }
  }
}
