import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import type { Answer } from './support/http.js'
import { personOf } from './support/people.js'
import { needlesOf, search, searchFolder } from './support/search.js'
import { startServer } from './support/server.js'

// Permissions in buckets, and what becomes of sealed accounts and permissions when keys turn and people go.

const server = await startServer({ BUCKETS: 'documents, archive' })
t.teardown(() => server.close())
const admin = personOf(server, 'admin', { role: 'admin' })
const ben = personOf(server, 'ben')

interface Told {
  readonly id?: string
  readonly user_id?: string
  readonly prefix?: string
  readonly can_read?: boolean
  readonly can_write?: boolean
  readonly description?: string | null
  readonly permissions?: readonly Told[]
  readonly access_token?: string
}
const told = (answer: Answer) => answer.body as Told
const path = '/api/v1/permissions'
const give = (more: object) =>
  admin.post(path, { user_id: 'ben', bucket_name: 'documents', ...more })
const word = 'quillfeather'

await t.test('given, told, changed and taken away', async (t) => {
  const made = await give({ prefix: `${word}/3/`, description: `for ${word}`, owner: 'ignored' })
  hasStatus(t, made, 201)
  const rights = { can_read: true, can_list: true, can_write: false, can_delete: false }
  t.match(told(made), { user_id: 'ben', prefix: `${word}/3/`, ...rights })
  isProblem(t, await give({ prefix: `${word}/3` }), 409, 'conflict')
  hasStatus(t, await give({ prefix: `${word}/4` }), 201)
  hasStatus(t, await give({ prefix: `${word}/3`, bucket_name: 'archive' }), 201)
  const mine = await ben.get(`${path}/my-permissions`)
  t.equal(told(mine).permissions?.length, 3)
  t.match(told(mine).permissions?.at(-1), { description: `for ${word}` })
  t.same(told(await personOf(server, 'cara').get(`${path}/my-permissions`)).permissions, [])
  const id = told(made).id ?? ''
  const put = (json: unknown) => admin.put(`${path}/${id}`, json)
  t.match(told(await put({ can_write: true })), { can_write: true, can_read: true })
  t.match(told(await put({ prefix: '', description: null })), { prefix: '', description: null })
  isProblem(t, await put({ prefix: `${word}/4/` }), 409, 'conflict')
  const gone = await admin.delete(`${path}/${id}`)
  hasStatus(t, gone, 200)
  isProblem(t, await admin.delete(`${path}/${id}`), 404, 'not_found')
  isProblem(t, await put({}), 404, 'not_found')
})

await t.test('what is no permission', async (t) => {
  const wrong: readonly object[] = [
    { bucket_name: 'elsewhere' },
    { bucket_name: '' },
    { user_id: '' },
    { user_id: 'space|bucket|documents' },
    { user_id: 'a'.repeat(129) },
    { prefix: 'a/../b' },
    { prefix: 'a\0b' },
    { prefix: 'p'.repeat(1_025) },
    { prefix: 7 },
    { can_read: 'yes' },
  ]
  for (const each of wrong) isProblem(t, await give(each), 400)
  hasStatus(t, await give({ user_id: 42, prefix: 'numbers' }), 201, 'an id that is a number')
  for (const id of ['x', '\0', crypto.randomUUID()]) {
    isProblem(t, await admin.put(`${path}/${encodeURIComponent(id)}`, {}), 404)
  }
})

await t.test('two at once of the same prefix are one', async (t) => {
  const answers = await Promise.all(Array.from({ length: 6 }, () => give({ prefix: 'twice' })))
  t.same(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409])
})

const password = 'seven crooked lanterns of Graz'
const file = join(server.dataDir, '..', 'password')
await writeFile(file, password, { mode: 0o600 })
const made = await server.command(
  ...['user', 'create', '--email', `${word}@clinic.example`, '--name', word, '--admin'],
  ...['--password-file', file],
)
const account = made.out.trim()
const login = () =>
  server.call('/api/v1/auth/login', {
    method: 'POST',
    json: { email: `${word}@clinic.example`, password },
  })

await t.test('keys are turned, and all of it still opens', async (t) => {
  t.equal(made.code, 0, made.err)
  for (const id of [account, 'space|bucket|documents', 'space|bucket|archive']) {
    const { code, err } = await server.command('keys', 'rotate-user', id)
    t.equal(code, 0, err)
  }
  hasStatus(t, await login(), 200)
  const list = await admin.get(`${path}?user_id=ben`)
  t.ok(told(list).permissions?.some(({ prefix }) => prefix === `${word}/4`))
})

await t.test('it lies nowhere in the open', async (t) => {
  const needles = needlesOf(word)
  t.same(await searchFolder(server.dataDir, needles), [])
  t.same(search('the log', Buffer.from(server.logs()), needles), [])
  const rows = await server.database?.query(
    `select (select json_agg(a) from accounts a)::text || (select json_agg(n) from sealed_notes n)::text
      || (select json_agg(p) from permissions p)::text as text`,
  )
  t.same(search('the tables', Buffer.from(String(rows?.[0]?.['text'])), needles), [])
})

await t.test('a person goes with their account and permissions', async (t) => {
  const token = told(await login()).access_token
  for (const person of [account, 'ben']) {
    const { code, err, out } = await server.command('shred', '--person', person, '--yes')
    t.equal(code, 0, err + out)
  }
  isProblem(t, await login(), 401, 'wrong_credentials')
  isProblem(t, await server.call('/api/v1/auth/me', { token }), 401, 'unauthenticated')
  t.same(told(await ben.get(`${path}/my-permissions`)).permissions, [])
  isProblem(t, await admin.get(`/api/v1/users/${encodeURIComponent(account)}`), 404)
  const again = await server.command(
    ...['user', 'create', '--email', `${word}@clinic.example`, '--password-file', file],
  )
  t.equal(again.code, 0, 'the address is free')
})
