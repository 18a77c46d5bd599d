import type { ErrorCode } from '../errors/error-codes.js'
import type { GrantBasis } from '../keys/wrapping.js'

// Who may do what: pure functions of facts, without a clock, a database or a request. docs/ACCESS.md
// is the same as a table, test/access.csv the table that every build is held against.

export type RecordAction =
  | 'view'
  | 'download'
  | 'read_metadata'
  | 'list_versions'
  | 'change_metadata'
  | 'replace_content'
  | 'delete'
  | 'restore'
  | 'list_grants'
  | 'grant'
  | 'read_access_log'

/** What the policy asks of a grant that was not revoked. */
export interface HeldTerms {
  readonly basis: GrantBasis
  readonly canDownload: boolean
  readonly canShare: boolean
  readonly expiresAt: Date | null
}

/** How one person stands to one record. */
export interface RecordFacts<Grant extends HeldTerms = HeldTerms> {
  readonly isPatient: boolean
  /** Made the record. */
  readonly isUploader: boolean
  /** Assigned to the patient now. */
  readonly isAssigned: boolean
  readonly isAdmin: boolean
  /** Their grants on it that were not revoked. */
  readonly grants: readonly Grant[]
  readonly now: Date
}

/** Allowed, on a grant where the action rests on one; else the code of the answer. */
export type Decision<Grant = HeldTerms> =
  | { readonly allow: true; readonly grant: Grant | undefined }
  | { readonly allow: false; readonly code: ErrorCode }

const denied = (code: ErrorCode) => ({ allow: false, code }) as const
const allowed = <Grant>(grant: Grant | undefined) => ({ allow: true, grant }) as const

const isRunning = ({ expiresAt }: HeldTerms, now: Date) => expiresAt === null || expiresAt > now

// What rests on least comes first: where an explicit grant does, the assignment is not asked about.
const order: readonly GrantBasis[] = ['own', 'explicit', 'assignment']

/** The grants that open the record now: not past their end, and those of an assignment while it lasts. */
export function openGrants<Grant extends HeldTerms>(facts: RecordFacts<Grant>): Grant[] {
  return facts.grants
    .filter((grant) => isRunning(grant, facts.now))
    .filter((grant) => grant.basis !== 'assignment' || facts.isAssigned)
    .sort((a, b) => order.indexOf(a.basis) - order.indexOf(b.basis))
}

/** Whether the record is anything to this person: who is not related must not learn that it exists. */
function isRelated(facts: RecordFacts): boolean {
  return facts.isPatient || facts.isUploader || facts.isAssigned || facts.grants.length > 0
}

/** Decides one action on one live record; `restore` on one that is deleted. */
export function mayOnRecord<Grant extends HeldTerms>(
  action: RecordAction,
  facts: RecordFacts<Grant>,
): Decision<Grant> {
  switch (action) {
    case 'delete':
    case 'restore':
      return mayDelete(action, facts)
    case 'change_metadata':
    case 'replace_content':
      return mayChange(facts)
    case 'list_grants':
    case 'grant':
      return mayShare(facts)
    case 'read_access_log':
      return facts.isPatient ? allowed(openGrants(facts)[0]) : refusal(facts)
    case 'download':
      return mayDownload(facts)
    case 'view':
    case 'read_metadata':
    case 'list_versions':
      return mayOpen(facts)
  }
}

/** Unrelated people are told nothing, related ones that they may not. */
function refusal(facts: RecordFacts) {
  return denied(isRelated(facts) ? 'forbidden' : 'not_found')
}

function mayOpen<Grant extends HeldTerms>(facts: RecordFacts<Grant>): Decision<Grant> {
  const [grant] = openGrants(facts)
  return grant === undefined ? refusal(facts) : allowed(grant)
}

function mayDownload<Grant extends HeldTerms>(facts: RecordFacts<Grant>): Decision<Grant> {
  const open = openGrants(facts)
  const grant = open.find(({ canDownload }) => canDownload)
  if (grant !== undefined) return allowed(grant)
  return open.length > 0 ? denied('download_not_granted') : refusal(facts)
}

/** Its uploader while assigned, who can open it. */
function mayChange<Grant extends HeldTerms>(facts: RecordFacts<Grant>): Decision<Grant> {
  const [grant] = openGrants(facts)
  const isAuthor = facts.isUploader && facts.isAssigned && !facts.isPatient
  return isAuthor && grant !== undefined ? allowed(grant) : refusal(facts)
}

/** Its uploader while assigned, or an administrator; never the patient, in whichever role. */
function mayDelete<Grant extends HeldTerms>(
  action: 'delete' | 'restore',
  facts: RecordFacts<Grant>,
): Decision<Grant> {
  if (facts.isPatient) return denied(action === 'delete' ? 'patient_cannot_delete' : 'forbidden')
  if (facts.isAdmin || (facts.isUploader && facts.isAssigned)) return allowed(undefined)
  return refusal(facts)
}

/** The patient; an assigned clinician who can open it; whoever was granted the right to share. */
function mayShare<Grant extends HeldTerms>(facts: RecordFacts<Grant>): Decision<Grant> {
  const open = openGrants(facts)
  const grant = open.find(({ canShare }) => canShare) ?? (facts.isAssigned ? open[0] : undefined)
  return grant === undefined ? refusal(facts) : allowed(grant)
}

/** How an emergency access that somebody has on a patient stands to one of the patient's records. */
export interface EmergencyFacts {
  /** Past its end, or ended. */
  readonly isOver: boolean
  /** The type of the record is sensitive. */
  readonly isSensitive: boolean
  /** That type was named when the access was asked for. */
  readonly isNamed: boolean
}

const readings: readonly RecordAction[] = ['view', 'download', 'read_metadata', 'list_versions']

/** What an emergency access adds for those whom nothing else lets in: reading, nothing else. */
export function mayInEmergency(
  action: RecordAction,
  { isOver, isSensitive, isNamed }: EmergencyFacts,
): Decision<never> {
  if (isOver) return denied('emergency_over')
  if (!readings.includes(action)) return denied('emergency_reads_only')
  return isSensitive && !isNamed ? denied('sensitive_not_named') : allowed(undefined)
}

/** A clinician in person, on somebody else: never a service, whoever it acts for. */
export function mayRequestEmergency(facts: {
  readonly roles: readonly string[]
  readonly isForAnother: boolean
  readonly isPatient: boolean
}): Decision<never> {
  const isClinician = facts.roles.includes('clinician') && !facts.roles.includes('service')
  const may = isClinician && !facts.isForAnother && !facts.isPatient
  return may ? allowed(undefined) : denied('forbidden')
}

/** How one person stands to one emergency access. */
export interface EmergencyRelation {
  readonly roles: readonly string[]
  /** Asked for it. */
  readonly isClinician: boolean
  readonly isPatient: boolean
}

/** Whoever asked for it, its patient, auditors and administrators; to others it does not exist. */
export function maySeeEmergency({
  roles,
  isClinician,
  isPatient,
}: EmergencyRelation): Decision<never> {
  const may = isClinician || isPatient || mayReadAudit(roles).allow
  return may ? allowed(undefined) : denied('not_found')
}

/** Whoever asked for it alone. */
export function mayUseEmergency({ isClinician }: EmergencyRelation): Decision<never> {
  return isClinician ? allowed(undefined) : denied('not_found')
}

/** Whoever asked for it, auditors and administrators: a patient does not stop a rescue. */
export function mayEndEmergency(relation: EmergencyRelation): Decision<never> {
  const seen = maySeeEmergency(relation)
  if (!seen.allow) return seen
  const may = relation.isClinician || mayReadAudit(relation.roles).allow
  return may ? allowed(undefined) : denied('forbidden')
}

/** An auditor, and never of their own. */
export function mayReviewEmergency(relation: EmergencyRelation): Decision<never> {
  const seen = maySeeEmergency(relation)
  if (!seen.allow) return seen
  const may = relation.roles.includes('auditor') && !relation.isClinician && !relation.isPatient
  return may ? allowed(undefined) : denied('forbidden')
}

/** Why access was needed is told to those it concerns and to those who judge it. */
export function mayReadReason({ roles, isClinician, isPatient }: EmergencyRelation): boolean {
  return isClinician || isPatient || roles.includes('auditor')
}

/** What a new grant is to allow. */
export interface WishedTerms {
  readonly canDownload: boolean
  readonly canShare: boolean
  readonly expiresAt: Date | null
}

/**
 * Nobody passes on more than they have: downloading needs a grant with downloading, and what was
 * shared for a time is not shared for longer. The patient's own grant sets no bounds.
 */
export function mayGrantTerms(grants: readonly HeldTerms[], wish: WishedTerms): Decision {
  const fitting = grants.find(
    (held) =>
      (held.canDownload || !wish.canDownload) &&
      (held.expiresAt === null || (wish.expiresAt !== null && wish.expiresAt <= held.expiresAt)),
  )
  return fitting === undefined ? denied('forbidden') : allowed(fitting)
}

/** The grant that somebody wants taken back. */
export interface RevocationTarget {
  readonly basis: GrantBasis
  /** Granted by the person who wants it back. */
  readonly isOwn: boolean
}

/** The patient revokes anyone's, others what they granted; the patient's own stays. */
export function mayRevoke<Grant extends HeldTerms>(
  facts: RecordFacts<Grant>,
  targets: readonly RevocationTarget[],
): Decision<Grant> {
  const share = mayShare(facts)
  if (!share.allow) return share
  if (targets.length === 0) return denied('not_found')
  if (targets.some(({ basis }) => basis === 'own')) return denied('grant_not_revocable')
  return facts.isPatient || targets.every(({ isOwn }) => isOwn) ? share : denied('forbidden')
}

/** A record is made by a clinician assigned to the patient, in whatever role their token says. */
export function mayUploadRecord(facts: { readonly isAssigned: boolean }): Decision<never> {
  return facts.isAssigned ? allowed(undefined) : denied('not_assigned')
}

/** Record types and assignments are kept by administrators. */
export function mayAdminister(roles: readonly string[]): Decision<never> {
  return roles.includes('admin') ? allowed(undefined) : denied('forbidden')
}

/** The audit log as a whole, and whether it is what was written. */
export function mayReadAudit(roles: readonly string[]): Decision<never> {
  const may = roles.includes('auditor') || roles.includes('admin')
  return may ? allowed(undefined) : denied('forbidden')
}

/** To whom a patient's records were opened: the patient, and those who read the audit log. */
export function mayReadDisclosures(facts: {
  readonly roles: readonly string[]
  readonly isPatient: boolean
}): Decision<never> {
  return facts.isPatient ? allowed(undefined) : mayReadAudit(facts.roles)
}

/** What a permission in a bucket allows. */
export interface PermittedTerms {
  /** Of object keys, compared at `/`: `a/b` is of `a/b` and of all below, not of `a/bc`; empty: of all. */
  readonly prefix: string
  readonly canRead: boolean
  readonly canWrite: boolean
  readonly canDelete: boolean
  readonly canList: boolean
}

export type ObjectAction = 'read' | 'write' | 'delete' | 'list'

/** Whether a prefix is one of a key at a `/`. */
export function isPrefixOf(prefix: string, key: string): boolean {
  const bare = prefix.replace(/\/+$/, '')
  return bare === '' || key === bare || key.startsWith(`${bare}/`)
}

/**
 * Objects of a bucket are opened by the bucket's key, for whoever has a permission that covers the key
 * whole; listed where one covers the prefix asked for. Administrators give permissions, and have none by that.
 */
export function mayOnObject(
  action: ObjectAction,
  { key, permissions }: { readonly key: string; readonly permissions: readonly PermittedTerms[] },
): Decision<never> {
  if (permissions.length === 0) return denied('not_found')
  const may = permissions.some(
    (terms) => isPrefixOf(terms.prefix, key) && isAllowedBy(terms, action),
  )
  return may ? allowed(undefined) : denied('forbidden')
}

/**
 * Of a folder that no permission to list covers: the prefixes of those that lie below it. Whoever has one is shown
 * the way there, and nothing beside it.
 */
export function listableBelow(folder: string, permissions: readonly PermittedTerms[]): string[] {
  return permissions
    .filter(({ canList, prefix }) => canList && isPrefixOf(folder, prefix))
    .map(({ prefix }) => prefix.replace(/\/+$/, ''))
    .filter((prefix) => prefix !== folder)
}

function isAllowedBy(terms: PermittedTerms, action: ObjectAction): boolean {
  switch (action) {
    case 'read':
      return terms.canRead
    case 'write':
      return terms.canWrite
    case 'delete':
      return terms.canDelete
    case 'list':
      return terms.canList
  }
}

export type DocumentAction = 'upload' | 'read' | 'assign' | 'set_status'

/** How one person stands to a document that may belong to an order. */
export interface DocumentFacts {
  readonly roles: readonly string[]
  /** Its owner; for an upload: it is made for the caller. */
  readonly isOwner: boolean
  /** There is an order. */
  readonly hasOrder: boolean
  readonly isOrderOwner: boolean
  /** Has one of the roles that are interested in the order. */
  readonly isInterested: boolean
}

/**
 * Documents are opened by their owner's key, or by the order's for those whose role is interested in it and
 * for DOC_VIEWALL. Never a medical record.
 */
export function mayOnDocument(action: DocumentAction, facts: DocumentFacts): Decision<never> {
  const has = (role: string) => facts.roles.includes(role)
  const inOrder = facts.hasOrder && (facts.isOrderOwner || facts.isInterested)
  const isRelated = facts.isOwner || inOrder
  switch (action) {
    case 'read':
      if (has('DOC_VIEWALL') || (has('DOC_VIEW') && isRelated)) return allowed(undefined)
      return denied(isRelated ? 'forbidden' : 'not_found')
    case 'upload': {
      const forWhom = has('DOC_UPLALL') || (has('DOC_UPL') && facts.isOwner)
      const where = !facts.hasOrder || inOrder || has('DOC_UPLALL')
      return forWhom && where ? allowed(undefined) : denied('forbidden')
    }
    case 'assign':
      if (has('DOC_UPLALL') || (has('DOC_UPL') && facts.isOwner)) return allowed(undefined)
      return denied(isRelated || has('DOC_VIEWALL') ? 'forbidden' : 'not_found')
    case 'set_status':
      if (has('DOC_UPLALL')) return allowed(undefined)
      return denied(isRelated || has('DOC_VIEWALL') ? 'forbidden' : 'not_found')
  }
}

/** A place for a patient's document, which becomes a record: for the patient, or a clinician assigned to them. */
export function mayAskForDocument(facts: {
  readonly isPatient: boolean
  readonly isAssigned: boolean
}): Decision<never> {
  return facts.isPatient || facts.isAssigned ? allowed(undefined) : denied('not_assigned')
}

/** A document that is no record and in no order: its owner opens it, and DOC_VIEWALL by its space's key. */
export function mayReadDocument(facts: {
  readonly isOwner: boolean
  readonly roles: readonly string[]
}): Decision<never> {
  const may = facts.isOwner || facts.roles.includes('DOC_VIEWALL')
  return may ? allowed(undefined) : denied('not_found')
}

/** A general file has an owner; to everyone else it does not exist. */
export function mayOnFile(facts: { readonly isOwner: boolean }): Decision<never> {
  return facts.isOwner ? allowed(undefined) : denied('not_found')
}

/**
 * Decides with as little asking as possible: `ask` is called only where the assignment makes a
 * difference. Where it cannot be answered and would not have allowed anything, the answer is that to
 * someone unassigned, which says nothing of whether the thing exists.
 */
export async function decideWithAssignment<Grant>(
  decide: (isAssigned: boolean) => Decision<Grant>,
  ask: () => Promise<boolean>,
): Promise<Decision<Grant>> {
  const [without, having] = [decide(false), decide(true)]
  if (isSame(without, having)) return without
  try {
    return (await ask()) ? having : without
  } catch (error) {
    if (having.allow) throw error
    return without
  }
}

function isSame<Grant>(one: Decision<Grant>, other: Decision<Grant>): boolean {
  if (one.allow && other.allow) return one.grant === other.grant
  return !one.allow && !other.allow && one.code === other.code
}
