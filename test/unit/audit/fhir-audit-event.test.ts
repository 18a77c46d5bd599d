import t, { type Test } from 'tap'
import { type AuditEvent, auditActions } from '../../../src/audit/audit-events.js'
import { type FhirAuditEvent, fhirAuditEvent } from '../../../src/audit/fhir-audit-event.js'

const id = (n: number) => `5f1c1f0e-1111-4222-8333-00000000000${n}`
const event: AuditEvent = {
  eventId: id(1),
  at: new Date('2026-11-26T10:00:00.123Z'),
  actorId: 'dr-lee',
  roles: ['clinician'],
  action: 'record.view',
  outcome: 'success',
  fileId: id(2),
  patientId: 'ann',
  grantId: id(3),
  version: 2,
  bytes: 10,
  ip: '192.0.2.7',
  userAgent: 'Browser/1.0',
  requestId: 'request-1',
}

const codes = (resource: FhirAuditEvent) => resource.subtype.map(({ code }) => code)
const agentOf = (resource: FhirAuditEvent, code: string) =>
  resource.agent.filter(({ type }) => type.coding?.[0]?.code === code)
const entitiesOf = (resource: FhirAuditEvent, code: string) =>
  resource.entity.filter(({ type }) => type.code === code)

/** What the base resource demands of each (FHIR R4, AuditEvent: cardinalities and bindings). */
function isAuditEvent(t: Test, resource: FhirAuditEvent, name: string): void {
  t.equal(resource.resourceType, 'AuditEvent')
  t.match(resource.id, /^[A-Za-z0-9\-.]{1,64}$/, name)
  t.match(resource.recorded, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.ok(['C', 'R', 'U', 'D', 'E'].includes(resource.action))
  t.ok(['0', '4', '8'].includes(resource.outcome))
  t.ok(resource.type.system !== '' && resource.type.code !== '')
  t.ok(resource.source.observer.identifier.value !== '')
  t.ok(resource.agent.length >= 1)
  t.equal(resource.agent.filter(({ requestor }) => requestor).length, 1, 'one asked')
  for (const { network, who } of resource.agent) {
    t.ok(who.identifier.value !== '')
    if (network !== undefined) t.ok(['1', '2', '3', '4', '5'].includes(network.type))
  }
  const parts: readonly unknown[] = [
    ...[resource.meta?.profile, resource.subtype, resource.entity, resource.purposeOfEvent],
    ...resource.agent.map(({ role }) => role),
  ]
  for (const list of parts) {
    if (Array.isArray(list)) t.ok(list.length > 0, `${name}: no list is empty`)
  }
  t.notMatch(JSON.stringify(resource), /null|undefined/, `${name}: what is not there is left out`)
}

await t.test('every action is an AuditEvent, whatever its outcome', (t) => {
  for (const action of auditActions) {
    for (const outcome of ['success', 'denied', 'failed'] as const) {
      const resource = fhirAuditEvent({ ...event, action, outcome })
      isAuditEvent(t, resource, `${action} ${outcome}`)
      t.ok(codes(resource).includes(action), 'and says what it was here')
      if (outcome !== 'success') t.equal(resource.meta, undefined, 'no pattern but of success')
    }
  }
  t.end()
})

const profile = (name: string) => [
  `https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.${name}`,
]

await t.test('a record that was read: IHE.BasicAudit.PatientRead', (t) => {
  const resource = fhirAuditEvent(event)
  t.same(resource.meta?.profile, profile('PatientRead'))
  t.equal(resource.type.code, 'rest')
  t.ok(codes(resource).includes('read'))
  t.equal(resource.action, 'R')
  t.equal(resource.outcome, '0')
  t.match(agentOf(resource, '110152'), [{ network: { address: '192.0.2.7', type: '2' } }])
  t.equal(agentOf(resource, '110153').length, 1)
  t.match(agentOf(resource, 'IRCP'), [
    {
      who: { identifier: { value: 'dr-lee' } },
      requestor: true,
      role: [{ text: 'clinician' }],
      network: undefined,
    },
  ])
  t.match(entitiesOf(resource, '1'), [
    { what: { type: 'Patient', identifier: { value: 'ann' } }, role: { code: '1' } },
  ])
  t.match(entitiesOf(resource, '2'), [
    { what: { identifier: { value: `urn:uuid:${id(2)}` } }, role: { code: '4' } },
  ])
  t.match(entitiesOf(resource, 'XrequestId'), [{ what: { identifier: { value: 'request-1' } } }])
  t.end()
})

await t.test('the other patterns', (t) => {
  const of = (facts: Partial<AuditEvent>) => fhirAuditEvent({ ...event, ...facts })
  const upload = of({ action: 'record.upload' })
  t.same(upload.meta?.profile, profile('PatientCreate'))
  t.equal(agentOf(upload, '110153')[0]?.network?.address, '192.0.2.7', 'the client is the source')
  t.equal(agentOf(upload, 'AUT').length, 1)
  t.same(of({ action: 'record.version_add' }).meta?.profile, profile('PatientUpdate'))
  const removed = of({ action: 'record.delete' })
  t.same(removed.meta?.profile, profile('PatientDelete'))
  t.equal(agentOf(removed, '110150').length, 1)
  t.equal(agentOf(removed, 'custodian').length, 1)
  const general = of({ action: 'file.download', patientId: undefined })
  t.same(general.meta?.profile, profile('Read'))
  t.equal(of({ action: 'record.list', fileId: undefined }).meta, undefined)
  t.end()
})

await t.test('refused, failed, for another, in an emergency', (t) => {
  const denied = fhirAuditEvent({ ...event, outcome: 'denied', reason: 'forbidden' })
  t.match(denied, { outcome: '4', outcomeDesc: 'forbidden' })
  t.equal(fhirAuditEvent({ ...event, outcome: 'failed' }).outcome, '8')
  const forAnother = fhirAuditEvent({ ...event, actorId: 'portal', onBehalfOf: 'dr-lee' })
  t.match(forAnother.agent.at(-1), {
    who: { identifier: { value: 'dr-lee' } },
    requestor: false,
  })
  const emergency = fhirAuditEvent({ ...event, grantId: undefined, emergencyId: id(4) })
  t.equal(emergency.purposeOfEvent?.[0]?.coding?.[0]?.code, 'BTG')
  t.ok(emergency.entity.some(({ what }) => what.identifier.value === `urn:uuid:${id(4)}`))
  const ours = fhirAuditEvent({ ...event, ip: '-', userAgent: '' })
  t.equal(ours.agent[0]?.network?.type, '1')
  t.end()
})
