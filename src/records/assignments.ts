import { randomUUID } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { Transactions } from '../ports/transactions.js'
import type { AssignmentQuery, AssignmentRow, RecordStores } from './ports.js'
import { requireAdmin } from './require-admin.js'
import { teamGrantsJob } from './team-grants-job.js'

export interface AssignmentWish {
  readonly clinicianId: string
  readonly patientId: string
  readonly startsAt?: Date | undefined
  readonly endsAt?: Date | undefined
}

export interface AssignmentSummary {
  readonly assignment_id: string
  readonly clinician_id: string
  readonly patient_id: string
  readonly starts_at: string
  readonly ends_at: string | null
  readonly created_by: string
}

export interface AssignmentPage {
  readonly assignments: AssignmentSummary[]
  readonly next: AssignmentQuery['after']
}

export interface EndedAssignment {
  readonly clinician_id: string
  readonly patient_id: string
  readonly ends_at: string
}

/** Who treats whom, as administrators keep it in our own table. */
export interface AssignmentBook {
  list(actor: Actor, query: AssignmentQuery): Promise<AssignmentPage>
  /** @throws StrongroomError `invalid_field` where it ends before it begins */
  create(actor: Actor, wish: AssignmentWish): Promise<AssignmentSummary>
  /** Ends all between the two. @throws StrongroomError `not_found` where none stands */
  end(
    actor: Actor,
    pair: Pick<AssignmentWish, 'clinicianId' | 'patientId'>,
  ): Promise<EndedAssignment>
}

interface Dependencies {
  readonly db: Transactions<RecordStores>
  readonly audit: AuditLog
  readonly jobs: { wake(): void }
  /** Whether a clinician newly assigned gets the patient's records. */
  readonly grantsToTeam: boolean
}

export function assignmentBook({ db, audit, jobs, grantsToTeam }: Dependencies): AssignmentBook {
  return {
    list: async (actor, query) => {
      const facts = {
        action: 'assignment.list',
        subjectId: query.clinicianId,
        patientId: query.patientId,
      } as const
      await requireAdmin(audit, actor, facts)
      const found = await db.stores.assignments.list({ ...query, limit: query.limit + 1 })
      await audit.note(actor, { ...facts, outcome: 'success' })
      const page = found.slice(0, query.limit)
      const last = found.length > query.limit ? page.at(-1) : undefined
      return {
        assignments: page.map(summarizeAssignment),
        next: last && { at: last.startsAt, id: last.assignmentId },
      }
    },
    create: async (actor, wish) => {
      const { clinicianId: subjectId, patientId } = wish
      const facts = { action: 'assignment.create', subjectId, patientId } as const
      await requireAdmin(audit, actor, facts)
      const row = newAssignment(actor, wish)
      await db.transaction(async (stores) => {
        // A record uploaded meanwhile either sees this assignment or is seen by its job.
        await stores.files.ensurePeople([patientId])
        await stores.files.lockOwner(patientId)
        await stores.assignments.insert(row)
        if (grantsToTeam) await stores.jobs.add(teamGrantsJob(subjectId, patientId), row.startsAt)
        await stores.audit.append(auditEvent(actor, { ...facts, outcome: 'success' }))
      })
      jobs.wake()
      return summarizeAssignment(row)
    },
    end: async (actor, { clinicianId, patientId }) => {
      const facts = { action: 'assignment.end', subjectId: clinicianId, patientId } as const
      await requireAdmin(audit, actor, facts)
      const at = new Date()
      await db.transaction(async (stores) => {
        if ((await stores.assignments.end(clinicianId, patientId, at)) === 0) {
          throw new StrongroomError('not_found')
        }
        await stores.audit.append(auditEvent(actor, { ...facts, outcome: 'success' }))
      })
      return { clinician_id: clinicianId, patient_id: patientId, ends_at: at.toISOString() }
    },
  }
}

function newAssignment(actor: Actor, wish: AssignmentWish): AssignmentRow {
  const startsAt = wish.startsAt ?? new Date()
  const endsAt = wish.endsAt ?? null
  if (endsAt !== null && endsAt <= startsAt) {
    throw new StrongroomError('invalid_field', { detail: 'ends_at: after starts_at' })
  }
  const { clinicianId, patientId } = wish
  const createdBy = actor.userId
  return { assignmentId: randomUUID(), clinicianId, patientId, startsAt, endsAt, createdBy }
}

function summarizeAssignment(row: AssignmentRow): AssignmentSummary {
  return {
    assignment_id: row.assignmentId,
    clinician_id: row.clinicianId,
    patient_id: row.patientId,
    starts_at: row.startsAt.toISOString(),
    ends_at: row.endsAt?.toISOString() ?? null,
    created_by: row.createdBy,
  }
}
