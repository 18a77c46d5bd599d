import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { OpenEntry } from '../files/open-entry.js'
import { openListed } from '../files/open-listed.js'
import type { DocumentQuery, FileCursor, FileEntry, HeldGrant } from '../files/ports.js'
import type { IndexHash } from '../keys/index-hash.js'
import { decideWithAssignment, mayOnRecord } from '../people/policy.js'
import { actsAs } from '../people/service-clients.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import type { Assignments } from '../records/ports.js'
import { factsOf } from '../records/record-access.js'
import { type DocumentSummary, summarizeDocument } from './document-summary.js'
import { clinicHashOf } from './new-place.js'
import type { DocumentStores } from './ports.js'

export interface DocumentListQuery {
  /** Documents of a patient; absent: the caller's own that are of no patient. */
  readonly patientId?: string | undefined
  readonly clinicId?: string | undefined
  readonly limit: number
  readonly after?: FileCursor | undefined
}

export interface DocumentPage {
  readonly documents: DocumentSummary[]
  /** Ids of those that are there and cannot be opened. */
  readonly damaged: string[]
  readonly next: FileCursor | undefined
}

interface Dependencies {
  readonly db: Transactions<Pick<DocumentStores, 'documents' | 'files'>>
  readonly audit: AuditLog
  readonly hash: Pick<IndexHash, 'of'>
  readonly assignments: Assignments
  readonly openEntry: OpenEntry
  readonly log: Pick<WorkLog, 'error'>
}

export type ListDocuments = (actor: Actor, query: DocumentListQuery) => Promise<DocumentPage>

/**
 * Documents that came by a URL of their own, newest first. A page holds fewer than `limit` where some of it is not the
 * caller's to open: `next` says whether it goes on.
 * @throws StrongroomError `assignments_unavailable` where an entry rests on one
 */
export function listDocuments(use: Dependencies): ListDocuments {
  const { db, audit, hash } = use
  return async (actor, { patientId, clinicId, limit, after }) => {
    const query: DocumentQuery = {
      ...{ ownerId: patientId ?? actor.userId, after, limit: limit + 1 },
      kind: patientId === undefined ? 'document' : 'record',
      clinicHash: clinicId === undefined ? undefined : clinicHashOf(hash, clinicId),
    }
    const found = await db.stores.files.documentEntries(actor.userId, query)
    const page = found.slice(0, limit)
    const held = await openable(use, actor, page)
    const rows = await db.stores.documents.list(page.map(({ file }) => file.fileId))
    const byId = new Map(rows.map((row) => [row.fileId, row]))
    const last = found.length > limit ? byId.get(page.at(-1)?.file.fileId ?? '') : undefined
    const action = 'document.list'
    const { listed, damaged } = await openListed(
      use,
      actor,
      action,
      held,
      ({ entry, metadata }) => {
        const row = byId.get(entry.file.fileId)
        return row === undefined ? [] : [summarizeDocument(row, metadata)]
      },
    )
    await audit.note(actor, { action, outcome: 'success', patientId })
    const next = last === undefined ? undefined : { at: last.createdAt, id: last.fileId }
    return { documents: listed.flat(), damaged, next }
  }
}

async function openable({ assignments }: Dependencies, actor: Actor, page: readonly FileEntry[]) {
  let asked: Promise<boolean> | undefined
  const held: { readonly entry: FileEntry; readonly grant: HeldGrant }[] = []
  for (const entry of page) {
    const [own] = entry.held
    if (entry.file.kind === 'document') {
      if (own !== undefined) held.push({ entry, grant: own })
      continue
    }
    const facts = factsOf(actor, entry)
    const decision = await decideWithAssignment(
      (isAssigned) => mayOnRecord('view', { ...facts, isAssigned }),
      async () => {
        // All of a list are of one patient.
        asked ??= assignments.isAssigned(actor.userId, entry.file.ownerId)
        return actsAs(actor, 'clinician') && (await asked)
      },
    )
    if (decision.allow && decision.grant !== undefined) held.push({ entry, grant: decision.grant })
  }
  return held
}
