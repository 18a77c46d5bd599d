import type { Actor } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { OpenEntry } from '../files/open-entry.js'
import { openListed } from '../files/open-listed.js'
import type { FileCursor, FileEntry, GrantedQuery, HeldGrant } from '../files/ports.js'
import { decideWithAssignment, mayOnRecord } from '../people/policy.js'
import { actsAs } from '../people/service-clients.js'
import type { Transactions } from '../ports/transactions.js'
import type { WorkLog } from '../ports/work-log.js'
import type { Assignments, RecordStores } from './ports.js'
import { factsOf } from './record-access.js'
import { type RecordSummary, summarizeRecord } from './record-summary.js'

export interface RecordPage {
  readonly records: RecordSummary[]
  /** File ids of those that are there and cannot be opened. */
  readonly damaged: string[]
  readonly next: FileCursor | undefined
}

export type ListRecords = (actor: Actor, query: GrantedQuery) => Promise<RecordPage>

interface Dependencies {
  readonly db: Transactions<Pick<RecordStores, 'files'>>
  readonly audit: AuditLog
  readonly assignments: Assignments
  readonly openEntry: OpenEntry
  /** Where it knows the assignments: to be asked about a patient whose records are asked for. */
  readonly portal: Assignments | undefined
  readonly log: Pick<WorkLog, 'error'>
}

interface Openable {
  readonly entry: FileEntry
  readonly grant: HeldGrant
}

/**
 * The records the caller can open, newest first. An assignment is asked about once per patient.
 * @throws StrongroomError `assignments_unavailable` where an entry rests on one
 */
export function listRecords(use: Dependencies): ListRecords {
  const { audit, portal } = use
  const look = lookingAt(portal)
  return async (actor, query) => {
    if (query.patientId !== undefined) look(actor, query.patientId)
    const found = await openable(use, actor, query)
    const page = found.slice(0, query.limit)
    const action = 'record.list'
    const { listed, damaged } = await openListed(use, actor, action, page, ({ entry, metadata }) =>
      summarizeRecord(entry.file, metadata),
    )
    await audit.note(actor, { action, outcome: 'success', patientId: query.patientId })
    const last = found.length > query.limit ? page.at(-1) : undefined
    return { records: listed, damaged, next: last === undefined ? undefined : placeOf(last.entry) }
  }
}

/** Looks under way at once: whoever lists at will must not keep others' questions waiting. */
const mostLooks = 4

/**
 * So that a new assignment is noticed before anything rests on it. The list does not wait for the answer:
 * what it holds does not rest on it, and a portal that is away is told of where it is asked.
 */
function lookingAt(portal: Assignments | undefined) {
  let underWay = 0
  const over = () => {
    underWay -= 1
  }
  return ({ userId }: Actor, patientId: string): void => {
    if (portal === undefined || userId === patientId || underWay >= mostLooks) return
    underWay += 1
    portal.isAssigned(userId, patientId).then(over, over)
  }
}

const placeOf = ({ file }: FileEntry): FileCursor => ({ at: file.createdAt, id: file.fileId })

/** One more than a page of what can be opened now: rests of ended assignments are passed over. */
async function openable(
  { db, assignments }: Dependencies,
  actor: Actor,
  query: GrantedQuery,
): Promise<Openable[]> {
  const isAssigned = oncePerPatient(assignments, actor)
  const found: Openable[] = []
  const batch = query.limit + 1
  let after = query.after
  for (;;) {
    const entries = await db.stores.files.grantedEntries(actor.userId, {
      ...query,
      limit: batch,
      after,
    })
    for (const entry of entries) {
      const facts = factsOf(actor, entry)
      const decision = await decideWithAssignment(
        (assigned) => mayOnRecord('view', { ...facts, isAssigned: assigned }),
        async () => actsAs(actor, 'clinician') && (await isAssigned(entry.file.ownerId)),
      )
      if (!decision.allow || decision.grant === undefined) continue
      found.push({ entry, grant: decision.grant })
      if (found.length === batch) return found
    }
    const last = entries.at(-1)
    if (last === undefined || entries.length < batch) return found
    after = placeOf(last)
  }
}

function oncePerPatient(assignments: Assignments, actor: Actor) {
  const asked = new Map<string, Promise<boolean>>()
  return async (patientId: string): Promise<boolean> => {
    const answer = asked.get(patientId) ?? assignments.isAssigned(actor.userId, patientId)
    asked.set(patientId, answer)
    return await answer
  }
}
