import { readFile } from 'node:fs/promises'
import t from 'tap'
import { statusOf } from '../../../src/errors/error-codes.js'
import {
  type Decision,
  type DocumentAction,
  type DocumentFacts,
  isPrefixOf,
  mayOnDocument,
  mayOnObject,
  type ObjectAction,
  type PermittedTerms,
} from '../../../src/people/policy.js'
import { isPersonId, isPortalId } from '../../../src/people/portal-id.js'
import { spaceIdOf } from '../../../src/people/spaces.js'

// Every cell of test/access-documents.csv, decided without a server.

const said = (decision: Decision<unknown>) => (decision.allow ? 200 : statusOf(decision.code))

const nothing = { isOwner: false, hasOrder: false, isOrderOwner: false, isInterested: false }
type Relation = Omit<DocumentFacts, 'roles'>
const documents: Readonly<Record<string, Relation>> = {
  'for oneself': { ...nothing, isOwner: true },
  'for another': nothing,
  "for oneself to one's own order": {
    ...{ ...nothing, isOwner: true, hasOrder: true, isOrderOwner: true },
  },
  'for oneself to an order of interest': {
    ...{ ...nothing, isOwner: true, hasOrder: true, isInterested: true },
  },
  "for oneself to another's order": { ...nothing, isOwner: true, hasOrder: true },
  own: { ...nothing, isOwner: true },
  "own in another's order": { ...nothing, isOwner: true, hasOrder: true },
  "of one's own order": { ...nothing, hasOrder: true, isOrderOwner: true },
  'of an order of interest': { ...nothing, hasOrder: true, isInterested: true },
  "of another's order": { ...nothing, hasOrder: true },
  "another's": nothing,
}

const key = 'wards/3/plan.pdf'
const all = { canRead: true, canWrite: true, canDelete: true, canList: true }
const some = { canRead: true, canWrite: false, canDelete: false, canList: true }
const buckets: Readonly<Record<string, readonly PermittedTerms[]>> = {
  'no permission in the bucket': [],
  'reading and listing here': [{ prefix: 'wards/3/', ...some }],
  'everything next door': [{ prefix: 'wards/33/', ...all }],
  'everything in the bucket': [{ prefix: '', ...all }],
}

const csv = await readFile(new URL('../../access-documents.csv', import.meta.url), 'utf8')
const lines = csv.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
const [header = [], ...table] = lines.map((line) => line.split(',').map((cell) => cell.trim()))
const roles = header.slice(3)

function decide(family: string, action: string, relation: string, role: string) {
  if (family === 'E') {
    const permissions = buckets[relation]
    if (permissions === undefined) throw new Error(`No such relation: ${relation}`)
    return mayOnObject(action as ObjectAction, { key, permissions })
  }
  const facts = documents[relation]
  if (facts === undefined) throw new Error(`No such relation: ${relation}`)
  const held = role === 'no_role' ? [] : [role]
  return mayOnDocument(action as DocumentAction, { ...facts, roles: held })
}

await t.test('every cell', (t) => {
  let cells = 0
  for (const [family = '', action = '', relation = '', ...statuses] of table) {
    t.equal(statuses.length, roles.length, `${action} ${relation}: no cell is missing`)
    for (const [column, status] of statuses.entries()) {
      const role = roles[column] ?? ''
      const decision = decide(family, action, relation, role)
      t.equal(said(decision), Number(status), `${family} ${action}, ${relation}, ${role}`)
      cells++
    }
  }
  t.ok(cells > 400, `${cells} cells`)
  const used = new Set(table.map(([, , relation]) => relation))
  t.same(used, new Set([...Object.keys(documents), ...Object.keys(buckets)]))
  t.end()
})

await t.test('the roles an order is interested in count beside those of documents', (t) => {
  const facts = { ...nothing, hasOrder: true, isInterested: true }
  t.equal(said(mayOnDocument('read', { ...facts, roles: ['BUY', 'DOC_VIEW'] })), 200)
  t.equal(said(mayOnDocument('read', { ...facts, roles: ['BUY'] })), 403)
  const own = { ...facts, isOwner: true }
  t.equal(said(mayOnDocument('upload', { ...own, roles: ['SEL', 'DOC_UPL'] })), 200)
  t.end()
})

await t.test('a prefix is compared at slashes', (t) => {
  for (const [prefix, of, is] of [
    ['', 'a', true],
    ['a', 'a', true],
    ['a', 'a/b', true],
    ['a/', 'a/b', true],
    ['a/', 'a', true],
    ['a//', 'a/b', true],
    ['a', 'ab', false],
    ['a/b', 'a', false],
    ['a/b', 'a/bc/d', false],
    ['A', 'a/b', false],
    ['b', 'a/b', false],
  ] as const) {
    t.equal(isPrefixOf(prefix, of), is, `“${prefix}” of “${of}”`)
  }
  t.end()
})

await t.test('a space has an id that nobody has', (t) => {
  const ids = [
    spaceIdOf({ kind: 'bucket', name: 'documents' }),
    spaceIdOf({ kind: 'order', id: 'documents' }),
  ]
  t.equal(new Set(ids).size, 2)
  for (const id of ids) {
    t.ok(isPortalId(id))
    t.notOk(isPersonId(id))
  }
  t.end()
})
