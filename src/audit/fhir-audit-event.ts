import type { AuditAction, AuditEvent } from './audit-events.js'

// FHIR R4 AuditEvent, after the Basic Audit Log Patterns of IHE (BALP 1.1.3). What each action becomes
// is in one table below; docs/AUDIT-EVENTS.md tells it in words.

const DCM = 'http://dicom.nema.org/resources/ontology/DCM'
const REST = 'http://hl7.org/fhir/restful-interaction'
const EVENT_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-event-type'
const PARTICIPATION = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType'
const ENTITY_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
const OBJECT_ROLE = 'http://terminology.hl7.org/CodeSystem/object-role'
const BALP = 'https://profiles.ihe.net/ITI/BALP'

interface Coding {
  readonly system: string
  readonly code: string
  readonly display?: string
}

interface Concept {
  readonly coding?: readonly Coding[]
  readonly text?: string
}

interface Reference {
  readonly type?: string
  readonly identifier: { readonly system: string; readonly value: string }
}

interface Agent {
  readonly type: Concept
  readonly who: Reference
  readonly requestor: boolean
  readonly role?: readonly Concept[]
  readonly network?: { readonly address: string; readonly type: string }
}

interface Entity {
  readonly what: Reference
  readonly type: Coding
  readonly role?: Coding
  readonly description?: string
}

/** As much of the resource as is filled here. */
export interface FhirAuditEvent {
  readonly resourceType: 'AuditEvent'
  readonly id: string
  readonly meta?: { readonly profile: readonly string[] }
  readonly type: Coding
  readonly subtype: readonly Coding[]
  readonly action: Interaction
  readonly recorded: string
  readonly outcome: '0' | '4' | '8'
  readonly outcomeDesc?: string
  readonly purposeOfEvent?: readonly Concept[]
  readonly agent: readonly Agent[]
  readonly source: {
    readonly site: string
    readonly observer: Reference
    readonly type: readonly Coding[]
  }
  readonly entity: readonly Entity[]
}

/** Create, read, update, delete, execute. */
type Interaction = 'C' | 'R' | 'U' | 'D' | 'E'

interface Mapping {
  readonly type: Coding
  /** Beside the action's own name. */
  readonly subtype?: Coding
  readonly action: Interaction
  /** Follows the pattern of that name, of a patient's where one is known. */
  readonly pattern?: 'Read' | 'Create' | 'Update' | 'Delete'
}

const restful = { system: EVENT_TYPE, code: 'rest', display: 'Restful Operation' }
const interaction = (code: string) => ({ system: REST, code, display: code })
const dicom = (code: string, display: string) => ({ system: DCM, code, display })

const read: Mapping = {
  ...{ type: restful, subtype: interaction('read'), action: 'R', pattern: 'Read' },
}
const create: Mapping = {
  ...{ type: restful, subtype: interaction('create'), action: 'C', pattern: 'Create' },
}
const update: Mapping = {
  ...{ type: restful, subtype: interaction('update'), action: 'U', pattern: 'Update' },
}
const remove: Mapping = {
  ...{ type: restful, subtype: interaction('delete'), action: 'D', pattern: 'Delete' },
}
/** The pattern of queries demands the query itself, which is not kept: it may hold a name. */
const search: Mapping = { type: restful, subtype: interaction('search'), action: 'E' }
const security = (code: string, display: string): Mapping => ({
  ...{ type: dicom('110113', 'Security Alert'), subtype: dicom(code, display), action: 'E' },
})
const login: Mapping = {
  type: dicom('110114', 'User Authentication'),
  subtype: dicom('110122', 'Login'),
  action: 'E',
}
const logout: Mapping = {
  type: dicom('110114', 'User Authentication'),
  subtype: dicom('110123', 'Logout'),
  action: 'E',
}
const auditRead: Mapping = {
  type: dicom('110101', 'Audit Log Used'),
  subtype: interaction('search'),
  action: 'R',
}
const rights = security('110137', 'User Security Attributes Changed')
const configured = security('110129', 'Security Configuration')
const ran: Mapping = { type: dicom('110100', 'Application Activity'), action: 'E' }
const alarm: Mapping = { type: dicom('110113', 'Security Alert'), action: 'E' }

const mappings: Readonly<Record<AuditAction, Mapping>> = {
  'auth.refused': login,
  'auth.refused_summary': login,
  'auth.login': login,
  'auth.renew': login,
  'auth.logout': logout,
  'auth.password_change': rights,
  'auth.password_upgrade': rights,
  'auth.totp_begin': rights,
  'auth.totp_set': rights,
  'auth.totp_remove': rights,
  'file.upload': create,
  'file.view': read,
  'file.download': read,
  'file.head': read,
  'file.not_modified': read,
  'file.check': search,
  'file.list': search,
  'file.metadata_read': read,
  'file.update': update,
  'file.version_add': update,
  'file.versions_list': search,
  'file.delete': remove,
  'file.restore': update,
  'file.purge': remove,
  'file.reseal': update,
  'file.shred': remove,
  'file.access_log_read': auditRead,
  'file.read_broken_off': read,
  'record.upload': create,
  'record.view': read,
  'record.download': read,
  'record.head': read,
  'record.not_modified': read,
  'record.list': search,
  'record.metadata_read': read,
  'record.update': update,
  'record.version_add': update,
  'record.versions_list': search,
  'record.delete': remove,
  'record.restore': update,
  'record.purge': remove,
  'record.reseal': update,
  'record.shred': remove,
  'record.access_log_read': auditRead,
  'record.read_broken_off': read,
  'record.grants_list': search,
  'record.grant': rights,
  'record.revoke': rights,
  'record.team_grant': rights,
  'patient.access_log_read': auditRead,
  'patient.disclosures_read': auditRead,
  'document.presign': ran,
  'document.receive': create,
  'document.upload': create,
  'document.discard': remove,
  'document.list': search,
  'bucket.list': search,
  'object.presign': ran,
  'object.upload': create,
  'object.delete': remove,
  'object.list': search,
  'ticket.issue': rights,
  'ticket.refused': login,
  'ticket.end': rights,
  'emergency.request': security('110127', 'Emergency Override Started'),
  'emergency.end': security('110138', 'Emergency Override Stopped'),
  'emergency.review': auditRead,
  'emergency.list': auditRead,
  'record_type.create': configured,
  'record_type.update': configured,
  'record_type.delete': configured,
  'assignment.list': search,
  'assignment.create': rights,
  'assignment.end': rights,
  'account.create': rights,
  'account.list': search,
  'account.read': search,
  'account.update': rights,
  'account.deactivate': rights,
  'permission.list': search,
  'permission.create': rights,
  'permission.update': rights,
  'permission.delete': rights,
  'person.shred': remove,
  'hold.place': configured,
  'hold.release': configured,
  'storage.sweep': ran,
  'storage.scrub': ran,
  'storage.migrate': ran,
  'database.move': ran,
  'audit.logs_read': auditRead,
  'audit.my_activity_read': auditRead,
  'audit.stats_read': auditRead,
  'audit.broken': alarm,
  'audit.verify': auditRead,
  'audit.export': auditRead,
  'audit.drop': configured,
  'keys.rewrap': configured,
  'keys.retire': configured,
  'keys.user_rotate': configured,
  'keys.user_rewrap': configured,
  'keys.user_retire': configured,
  'keys.backup': configured,
  'keys.restore': configured,
  'keys.put_back': configured,
  'keys.drill': ran,
  'alert.raised': alarm,
  'outbox.replay': ran,
  'outbox.drop': ran,
}

const outcomes = { success: '0', denied: '4', failed: '8' } as const
const byId = (what: string, value: string): Reference => ({
  identifier: { system: `urn:strongroom:${what}`, value },
})
const uuid = (value: string): Reference => ({
  identifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${value}` },
})
const concept = (coding: Coding): Concept => ({ coding: [coding] })

/** The event as a FHIR resource; ids and codes alone, as it has them. */
export function fhirAuditEvent(event: AuditEvent): FhirAuditEvent {
  const mapping = mappings[event.action]
  const entity = entitiesOf(event)
  const profile = profileOf(event, mapping)
  return {
    resourceType: 'AuditEvent',
    id: event.eventId,
    ...(profile === undefined ? {} : { meta: { profile: [profile] } }),
    type: mapping.type,
    subtype: [
      ...(mapping.subtype === undefined ? [] : [mapping.subtype]),
      { system: 'urn:strongroom:audit-action', code: event.action },
    ],
    action: mapping.action,
    recorded: event.at.toISOString(),
    outcome: outcomes[event.outcome],
    ...(event.reason === undefined ? {} : { outcomeDesc: event.reason }),
    ...(event.emergencyId === undefined ? {} : { purposeOfEvent: [breakTheGlass] }),
    agent: agentsOf(event, mapping),
    source: {
      site: 'strongroom',
      observer: byId('service', 'strongroom'),
      type: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/security-source-type',
          code: '4',
          display: 'Application Server',
        },
      ],
    },
    entity,
  }
}

const breakTheGlass = concept({
  system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason',
  code: 'BTG',
  display: 'break the glass',
})

/** The patterns are of what succeeded, and of one object. */
function profileOf(event: AuditEvent, { pattern }: Mapping): string | undefined {
  if (pattern === undefined || event.outcome !== 'success' || event.fileId === undefined) {
    return undefined
  }
  const of = event.patientId === undefined ? '' : 'Patient'
  return `${BALP}/StructureDefinition/IHE.BasicAudit.${of}${pattern}`
}

const sourceRole = dicom('110153', 'Source Role ID')
const destinationRole = dicom('110152', 'Destination Role ID')
const application = dicom('110150', 'Application')
const custodian = {
  system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type',
  code: 'custodian',
  display: 'Custodian',
}

/** Which way the data went: who is client, who is server, as what the person took part. */
function partsOf({ pattern }: Mapping): readonly [client: Coding, server: Coding, user: Coding] {
  const author = { system: PARTICIPATION, code: 'AUT', display: 'author (originator)' }
  const recipient = { system: PARTICIPATION, code: 'IRCP', display: 'information recipient' }
  if (pattern === 'Delete') return [application, custodian, author]
  return pattern === 'Create' || pattern === 'Update'
    ? [sourceRole, destinationRole, author]
    : [destinationRole, sourceRole, recipient]
}

const ourNetwork = { address: 'strongroom', type: '1' } as const
/** What the log has where there is no address, no user agent, nobody known. */
const NONE = '-'

function agentsOf(event: AuditEvent, mapping: Mapping): Agent[] {
  const [client, server, user] = partsOf(mapping)
  const isOurs = event.ip === NONE
  return [
    {
      type: concept(client),
      who: byId('user-agent', event.userAgent === '' ? NONE : event.userAgent),
      requestor: false,
      network: isOurs ? ourNetwork : { address: event.ip, type: '2' },
    },
    {
      type: concept(server),
      who: byId('service', 'strongroom'),
      requestor: false,
      network: ourNetwork,
    },
    {
      type: concept(user),
      who: byId('user', event.actorId),
      requestor: true,
      ...(event.roles.length === 0 ? {} : { role: event.roles.map((text) => ({ text })) }),
    },
    ...(event.onBehalfOf === undefined
      ? []
      : [
          {
            type: { text: 'on behalf of' },
            who: byId('user', event.onBehalfOf),
            requestor: false,
          },
        ]),
  ]
}

const person = { system: ENTITY_TYPE, code: '1', display: 'Person' }
const object = { system: ENTITY_TYPE, code: '2', display: 'System Object' }
const other = { system: ENTITY_TYPE, code: '4', display: 'Other' }
const xRequestId = { system: `${BALP}/CodeSystem/BasicAuditEntityType`, code: 'XrequestId' }

function entitiesOf(event: AuditEvent): Entity[] {
  const { fileId, patientId, subjectId, grantId, emergencyId, version } = event
  const entities: Entity[] = [{ what: byId('request', event.requestId), type: xRequestId }]
  if (patientId !== undefined) {
    entities.push({
      what: { type: 'Patient', ...byId('user', patientId) },
      type: person,
      role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
    })
  }
  if (fileId !== undefined) {
    entities.push({
      what: uuid(fileId),
      type: object,
      role: { system: OBJECT_ROLE, code: '4', display: 'Domain Resource' },
      ...(version === undefined ? {} : { description: `version ${version}` }),
    })
  }
  if (subjectId !== undefined) entities.push({ what: byId('subject', subjectId), type: other })
  if (grantId !== undefined) {
    entities.push({ what: uuid(grantId), type: other, description: 'grant' })
  }
  if (emergencyId !== undefined) {
    entities.push({ what: uuid(emergencyId), type: other, description: 'emergency access' })
  }
  return entities
}
