import { randomUUID } from 'node:crypto'
import { alertEvent } from '../audit/alert-event.js'
import type { Actor, AuditFacts } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import { isFileId } from '../files/file-id.js'
import {
  type Decision,
  type EmergencyRelation,
  mayEndEmergency,
  mayReadAudit,
  mayReadReason,
  mayRequestEmergency,
  mayReviewEmergency,
  maySeeEmergency,
  mayUseEmergency,
} from '../people/policy.js'
import type { Transactions } from '../ports/transactions.js'
import {
  type EmergencySummary,
  type EmergencyTexts,
  isOver,
  summarizeEmergency,
} from './emergency-summary.js'
import type { EmergencyTerms } from './emergency-terms.js'
import { endEmergency } from './end-emergency.js'
import type {
  EmergencyQuery,
  EmergencyRow,
  EmergencyStores,
  Finding,
  NotedEmergency,
  ReasonCode,
} from './ports.js'

export interface EmergencyWish {
  readonly patientId: string
  readonly reasonCode: ReasonCode
  /** For the patient and the reviewer; sealed under the patient's key. */
  readonly reason: string
  readonly minutes: number
  readonly sensitiveTypes: readonly string[]
}

export interface EmergencyPage {
  readonly emergencies: EmergencySummary[]
  readonly next: EmergencyQuery['after']
}

export type EmergencyListWish = Pick<EmergencyQuery, 'status' | 'patientId' | 'limit' | 'after'>

/** Asking for emergency access, ending it, and judging it afterwards. */
export interface EmergencyBook {
  /**
   * Opens one patient's records to the caller for reading, for a while.
   * @throws StrongroomError `forbidden`, `not_found` where there is no record of the patient, `emergency_open`
   *   with the `emergency_id` of the one there is, `invalid_field`; refusals are on record
   */
  request(actor: Actor, wish: EmergencyWish): Promise<EmergencySummary>
  /** Ends it now; one that ended stays as it is. @throws StrongroomError `not_found`, `forbidden` */
  end(actor: Actor, emergencyId: string): Promise<EmergencySummary>
  /** @throws StrongroomError `not_found`, `forbidden`, `conflict` while it is open or once it was reviewed */
  review(
    actor: Actor,
    emergencyId: string,
    judgement: { readonly finding: Finding; readonly note: string | undefined },
  ): Promise<EmergencySummary>
  find(actor: Actor, emergencyId: string): Promise<EmergencySummary>
  /** Whose records it opens to the caller. @throws StrongroomError `not_found` where it is not theirs */
  patientOf(actor: Actor, emergencyId: string): Promise<string>
  /** All of them for auditors and administrators; for others those that concern them. */
  list(actor: Actor, wish: EmergencyListWish): Promise<EmergencyPage>
}

interface Dependencies {
  readonly db: Transactions<EmergencyStores>
  readonly audit: AuditLog
  readonly terms: EmergencyTerms
  /** Longer ones are refused. */
  readonly maxMinutes: number
}

export function emergencyBook(use: Dependencies): EmergencyBook {
  return { request: request(use), end: end(use), review: review(use), ...looking(use) }
}

function request(use: Dependencies): EmergencyBook['request'] {
  const { db, audit, terms } = use
  return async (actor, wish) => {
    const { patientId } = wish
    const facts: AuditFacts = { action: 'emergency.request', outcome: 'success', patientId }
    const refuse = async (error: StrongroomError): Promise<never> => {
      await audit.note(actor, { ...facts, outcome: 'denied', reason: error.code })
      throw error
    }
    const decision = mayRequestEmergency({
      roles: actor.roles,
      isForAnother: actor.service !== undefined,
      isPatient: patientId === actor.userId,
    })
    if (!decision.allow) {
      const detail = 'For clinicians in person, on a patient who is somebody else.'
      return await refuse(new StrongroomError(decision.code, { detail }))
    }
    await checkWish(use, wish)
    if (!(await db.stores.emergencies.hasRecords(patientId))) {
      return await refuse(
        new StrongroomError('not_found', { detail: 'No record of this patient.' }),
      )
    }
    const row = newEmergency(actor, wish)
    const { emergencyId } = row
    const note = await terms.seal(row, wish.reason)
    try {
      await db.transaction(async (stores) => {
        const before = await stores.emergencies.going(actor.userId)
        if (before !== undefined && isOver(before, row.requestedAt)) {
          await endEmergency(stores, actor, before, { at: before.endsAt, expired: true })
        }
        if (!(await stores.emergencies.insert(row))) throw new StrongroomError('emergency_open')
        await stores.emergencies.insertNote(row, 'terms', note)
        await stores.audit.append(
          auditEvent(actor, { ...facts, reason: row.reasonCode, emergencyId }),
        )
        await stores.audit.append(
          alertEvent('emergency', { subjectId: actor.userId, patientId, emergencyId }),
        )
      })
    } catch (error) {
      if (!isStrongroomError(error, 'emergency_open')) throw error
      const open = await db.stores.emergencies.going(actor.userId)
      const extra = open === undefined ? {} : { emergency_id: open.emergencyId }
      return await refuse(new StrongroomError('emergency_open', { extra }))
    }
    const noted: NotedEmergency = { ...row, terms: note, review: null, records: 0 }
    const texts = { intact: true, reason: wish.reason, reviewNote: null }
    return summarizeEmergency(noted, texts, row.requestedAt)
  }
}

async function checkWish(
  { db, maxMinutes }: Pick<Dependencies, 'db' | 'maxMinutes'>,
  { minutes, sensitiveTypes }: EmergencyWish,
): Promise<void> {
  if (minutes > maxMinutes) {
    throw new StrongroomError('invalid_field', { detail: `minutes: at most ${maxMinutes}` })
  }
  const known = new Set((await db.stores.types.all()).map(({ id }) => id))
  if (!sensitiveTypes.every((id) => known.has(id))) {
    throw new StrongroomError('invalid_field', { detail: 'sensitive_types: not a record type' })
  }
}

function newEmergency(actor: Actor, wish: EmergencyWish): EmergencyRow {
  const requestedAt = new Date()
  return {
    emergencyId: randomUUID(),
    clinicianId: actor.userId,
    patientId: wish.patientId,
    reasonCode: wish.reasonCode,
    sensitiveTypes: [...new Set(wish.sensitiveTypes)].sort(),
    requestedAt,
    endsAt: new Date(requestedAt.getTime() + wish.minutes * 60_000),
    endedAt: null,
    endedBy: null,
    reviewedAt: null,
    reviewedBy: null,
    finding: null,
  }
}

const relationOf = (actor: Actor, row: EmergencyRow): EmergencyRelation => ({
  roles: actor.roles,
  isClinician: row.clinicianId === actor.userId,
  isPatient: row.patientId === actor.userId,
})

const factsOf = ({ emergencyId, patientId, clinicianId }: EmergencyRow) => ({
  emergencyId,
  patientId,
  subjectId: clinicianId,
})

/** The one the caller may do this with; refusals are on record. */
async function permit(
  { db, audit }: Dependencies,
  actor: Actor,
  emergencyId: string,
  {
    action,
    decide,
  }: {
    readonly action: AuditFacts['action']
    readonly decide: (relation: EmergencyRelation) => Decision<never>
  },
): Promise<NotedEmergency> {
  const row = isFileId(emergencyId) ? await db.stores.emergencies.find(emergencyId) : undefined
  const decision = row === undefined ? undefined : decide(relationOf(actor, row))
  if (row !== undefined && decision?.allow === true) return row
  const code = decision === undefined || decision.allow ? 'not_found' : decision.code
  const facts = row === undefined ? {} : factsOf(row)
  await audit.note(actor, { ...facts, action, outcome: 'denied', reason: code })
  throw new StrongroomError(code)
}

function end(use: Dependencies): EmergencyBook['end'] {
  return async (actor, emergencyId) => {
    await permit(use, actor, emergencyId, { action: 'emergency.end', decide: mayEndEmergency })
    const at = new Date()
    await use.db.transaction(async (stores) => {
      const row = await stores.emergencies.lock(emergencyId)
      if (row === undefined || row.endedAt !== null) return
      const expired = row.endsAt <= at
      await endEmergency(stores, actor, row, { at: expired ? row.endsAt : at, expired })
    })
    return await described(use, actor, emergencyId)
  }
}

function review(use: Dependencies): EmergencyBook['review'] {
  const { db, terms } = use
  return async (actor, emergencyId, { finding, note }) => {
    const action = 'emergency.review'
    const found = await permit(use, actor, emergencyId, { action, decide: mayReviewEmergency })
    const sealed = note === undefined ? undefined : await terms.sealReview(found, note)
    const at = new Date()
    await db.transaction(async (stores) => {
      const row = await stores.emergencies.lock(emergencyId)
      if (row === undefined) throw new StrongroomError('not_found')
      if (!isOver(row, at)) throw new StrongroomError('conflict', { detail: 'It is still open.' })
      if (row.reviewedAt !== null) {
        throw new StrongroomError('conflict', { detail: 'It was reviewed already.' })
      }
      if (row.endedAt === null) {
        await endEmergency(stores, actor, row, { at: row.endsAt, expired: true })
      }
      await stores.emergencies.review(emergencyId, actor.userId, at, finding)
      if (sealed !== undefined) await stores.emergencies.insertNote(row, 'review', sealed)
      await stores.audit.append(
        auditEvent(actor, { ...factsOf(row), action, outcome: 'success', reason: finding }),
      )
    })
    return await described(use, actor, emergencyId)
  }
}

function looking(use: Dependencies): Pick<EmergencyBook, 'find' | 'list' | 'patientOf'> {
  const { db, audit } = use
  const action = 'emergency.list'
  return {
    find: async (actor, emergencyId) => {
      const row = await permit(use, actor, emergencyId, { action, decide: maySeeEmergency })
      const summary = await describe(use, actor, row)
      await audit.note(actor, { ...factsOf(row), action, outcome: 'success' })
      return summary
    },
    patientOf: async (actor, emergencyId) => {
      const decide = mayUseEmergency
      const row = await permit(use, actor, emergencyId, { action: 'record.list', decide })
      return row.patientId
    },
    list: async (actor, wish) => {
      const rows = await db.stores.emergencies.list({
        ...wish,
        concerning: mayReadAudit(actor.roles).allow ? undefined : actor.userId,
        now: new Date(),
        limit: wish.limit + 1,
      })
      const page = rows.slice(0, wish.limit)
      const emergencies: EmergencySummary[] = []
      for (const row of page) emergencies.push(await describe(use, actor, row))
      await audit.note(actor, { action, outcome: 'success', patientId: wish.patientId })
      const last = rows.length > wish.limit ? page.at(-1) : undefined
      return { emergencies, next: last && { at: last.requestedAt, id: last.emergencyId } }
    },
  }
}

async function described(
  use: Dependencies,
  actor: Actor,
  emergencyId: string,
): Promise<EmergencySummary> {
  const row = await use.db.stores.emergencies.find(emergencyId)
  if (row === undefined) throw new StrongroomError('not_found')
  return await describe(use, actor, row)
}

/**
 * With the texts opened for those who may read them. One that is not what was sealed is shown, and said to
 * be so, on record: it must not hide the others.
 */
async function describe(
  { audit, terms }: Dependencies,
  actor: Actor,
  row: NotedEmergency,
): Promise<EmergencySummary> {
  const texts = await textsOf(terms, row)
  if (texts.intact === false) {
    const facts = { ...factsOf(row), action: 'emergency.list', reason: 'damaged' } as const
    await audit.note(actor, { ...facts, outcome: 'failed' })
  }
  const hidden = { intact: texts.intact, reason: null, reviewNote: null }
  const may = mayReadReason(relationOf(actor, row))
  return summarizeEmergency(row, may ? texts : hidden, new Date())
}

async function textsOf(terms: EmergencyTerms, row: NotedEmergency): Promise<EmergencyTexts> {
  try {
    return {
      intact: row.terms === null ? null : true,
      reason: row.terms === null ? null : await terms.open(row, row.terms),
      reviewNote: row.review === null ? null : await terms.openReview(row, row.review),
    }
  } catch (error) {
    if (!isStrongroomError(error, 'damaged')) throw error
    return { intact: false, reason: null, reviewNote: null }
  }
}
