import t from 'tap'
import { identityOf, idOf, isReservedId } from '../../../src/people/identity.js'
import { localClaims } from '../../../src/people/local-tokens.js'
import { networkOf } from '../../../src/people/network.js'
import { hasSecondFactor } from '../../../src/people/second-factor.js'
import { actsAs, mayActFor, type ServiceClients } from '../../../src/people/service-clients.js'
import { newTotp, totpStep } from '../../../src/people/totp.js'

const rules = {
  source: 'oidc',
  isPrimary: true,
  userClaim: undefined,
  roleMap: new Map([['doctor', ['clinician']]]),
  roleClients: ['strongroom'],
} as const

await t.test('ids of other sources carry their name, and nobody takes them over', (t) => {
  const id = (sub: unknown, isPrimary = true) =>
    identityOf({ sub }, { ...rules, isPrimary })?.userId
  t.equal(id('anna'), 'anna')
  t.equal(id('anna', false), 'oidc|anna')
  t.equal(id(42, false), 'oidc|42')
  for (const taken of ['local|x', 'shared|x', 'oidc|x', 'space|bucket|documents']) {
    t.equal(isReservedId(taken), true)
    t.equal(id(taken), undefined, taken)
    t.equal(id(taken, false), `oidc|${taken}`)
  }
  t.equal(id('auth0|anna'), 'auth0|anna', 'a provider’s own form is its own')
  t.equal(id('a'.repeat(123), false), `oidc|${'a'.repeat(123)}`)
  t.equal(id('a'.repeat(124), false), undefined, 'with its name it is too long')
  for (const none of ['', 'a\0b', 'a\ud800', null, {}, ['anna'], 1.5]) t.equal(id(none), undefined)
  t.equal(idOf('x', { source: 'local', isPrimary: false }), 'local|x')
  t.end()
})

await t.test('roles of the realm and of our client alone, translated', (t) => {
  const roles = (claims: object) => identityOf({ sub: 'a', ...claims }, rules)?.roles
  t.same(roles({ realm_access: { roles: ['doctor', 'offline_access'] } }), ['clinician'])
  t.same(roles({ resource_access: { strongroom: { roles: ['admin'] } } }), ['admin'])
  t.same(roles({ resource_access: { shop: { roles: ['admin'] } } }), [])
  for (const odd of [7, 'admin', { strongroom: 'admin' }, { strongroom: { roles: 7 } }, null]) {
    t.same(roles({ resource_access: odd, realm_access: odd }), [])
  }
  t.same(roles({ resource_access: JSON.parse('{"__proto__":{"roles":["admin"]}}') as object }), [])
  t.end()
})

await t.test('who may act for whom', (t) => {
  const clients: ServiceClients = new Map([['portal', { roles: ['patient'], actions: ['view'] }]])
  const service = { userId: 'x', clientId: 'portal', roles: ['service'] }
  t.ok(mayActFor(service, clients))
  t.ok(mayActFor({ ...service, clientId: undefined, userId: 'portal' }, clients))
  t.equal(mayActFor({ ...service, roles: ['admin'] }, clients), undefined)
  t.equal(mayActFor({ ...service, clientId: 'other', userId: 'portal' }, clients), undefined)
  t.equal(actsAs({ roles: [] }, 'clinician'), true, 'in person every relation counts')
  t.equal(actsAs({ service: 'portal', roles: ['service', 'patient'] }, 'clinician'), false)
  t.equal(actsAs({ service: 'portal', roles: ['service', 'patient'] }, 'patient'), true)
  t.end()
})

await t.test('what one customer of a provider has is one network', (t) => {
  t.equal(networkOf('192.0.2.1'), '192.0.2.1')
  t.equal(networkOf('2001:db8:1:200::1'), networkOf('2001:db8:1:2ff:a:b:c:d'))
  t.not(networkOf('2001:db8:1:200::1'), networkOf('2001:db8:1:300::1'))
  t.equal(networkOf('::1'), networkOf('::2'))
  t.equal(networkOf('2001:db8::'), networkOf('2001:db8:0:0:1::'))
  t.equal(networkOf('-'), '-')
  t.end()
})

await t.test('a code is of its time step', (t) => {
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
  // RFC 6238 appendix B, SHA-1, in six digits.
  t.equal(totpStep(secret, '287082', new Date(59_000)), 1)
  t.equal(totpStep(secret, '081804', new Date(1_111_111_109_000)), 37_037_036)
  t.equal(totpStep(secret, '287082', new Date(59_000 + 30_000)), 1, 'a step late')
  t.equal(totpStep(secret, '287082', new Date(59_000 + 61_000)), undefined)
  for (const odd of ['', '28708', '2870822', '28708a', ' 287082']) {
    t.equal(totpStep(secret, odd, new Date(59_000)), undefined)
  }
  const { secret: made, url } = newTotp('anna@clinic.example')
  t.match(made, /^[A-Z2-7]{32}$/)
  t.ok(url.includes(made))
  t.end()
})

await t.test('a token is good for half an hour, and never past twelve of its login', (t) => {
  const now = new Date('2026-11-26T12:00:00Z')
  const seconds = now.getTime() / 1_000
  const at = (authTime: number) =>
    localClaims({ userId: 'anna', epoch: 1, methods: ['pwd'], authTime }, now)
  t.match(at(seconds), { iat: seconds, exp: seconds + 1_800, auth_time: seconds, sub: 'anna' })
  t.equal(at(seconds - 43_200 + 600)?.exp, seconds + 600)
  t.equal(at(seconds - 43_200), undefined)
  t.not(at(seconds)?.jti, at(seconds)?.jti)
  t.end()
})

await t.test('what is a second factor', (t) => {
  for (const methods of [['pwd', 'otp'], ['mfa'], ['hwk']]) t.equal(hasSecondFactor(methods), true)
  for (const methods of [[], ['pwd'], ['kba'], ['OTP']]) t.equal(hasSecondFactor(methods), false)
  t.end()
})
