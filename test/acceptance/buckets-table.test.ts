import { readFile } from 'node:fs/promises'
import t from 'tap'
import { pdf } from './support/content.js'
import type { Answer } from './support/http.js'
import { type Person, personOf } from './support/people.js'
import { startServer } from './support/server.js'

// Every cell of family E in test/access-documents.csv, driven over HTTP: each relation is a bucket of its own.

const buckets: Readonly<Record<string, string>> = {
  'no permission in the bucket': 'none',
  'reading and listing here': 'reading',
  'everything next door': 'next-door',
  'everything in the bucket': 'everything',
}
const server = await startServer({ BUCKETS: Object.values(buckets).join(',') })
t.teardown(() => server.close())
const admin = personOf(server, 'keeper', { role: 'admin' })
const keeper = personOf(server, 'sender')

const all = { can_read: true, can_write: true, can_delete: true, can_list: true }
const some = { can_read: true, can_write: false, can_delete: false, can_list: true }

async function give(who: Person, bucket: string, prefix: string, rights: object): Promise<void> {
  const body = { user_id: who.id, bucket_name: bucket, prefix, ...rights }
  const made = await admin.post('/api/v1/permissions', body)
  if (made.status !== 201) throw new Error(made.text)
}

const key = 'wards/3/plan.pdf'
const presign = (who: Person, bucket: string, operation: string) => {
  const body = { bucket_name: bucket, object_key: key, operation }
  return who.post('/api/v1/s3/presigned-url', body)
}

/** By a URL that somebody was given: its status says whether they may. */
async function used(given: Answer, method: string, body?: Buffer): Promise<Answer> {
  if (given.status !== 200) return given
  const { presigned_url: url } = JSON.parse(given.text) as { presigned_url: string }
  const sent = body === undefined ? {} : { body }
  return await server.call(new URL(url).pathname, { method, ...sent })
}

const write = async (who: Person, bucket: string) =>
  used(await presign(who, bucket, 'upload'), 'PUT', pdf('a plan'))

const actions: Readonly<Record<string, (who: Person, bucket: string) => Promise<Answer>>> = {
  read: async (who, bucket) => used(await presign(who, bucket, 'download'), 'GET'),
  list: (who, bucket) => who.get(`/api/v1/s3/list/${bucket}?prefix=wards/3`),
  write,
  delete: async (who, bucket) => {
    await write(keeper, bucket)
    return await who.delete(`/api/v1/s3/object/${bucket}/${key}`)
  },
}

const csv = await readFile(new URL('../access-documents.csv', import.meta.url), 'utf8')
const lines = csv.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
const [header = [], ...rows] = lines.map((line) => line.split(',').map((cell) => cell.trim()))
const roles = header.slice(3)
const table = rows.filter(([family]) => family === 'E')

const people = roles.map((role) =>
  personOf(server, `with-${role}`, role === 'no_role' ? {} : { role }),
)
for (const who of people) {
  await give(who, 'reading', 'wards/3/', some)
  await give(who, 'next-door', 'wards/33/', all)
  await give(who, 'everything', '', all)
}
for (const bucket of Object.values(buckets)) {
  await give(keeper, bucket, '', all)
  await write(keeper, bucket)
}

let cells = 0
for (const [, action = '', relation = '', ...statuses] of table) {
  await t.test(`${action}, ${relation}`, async (t) => {
    const [act, bucket] = [actions[action], buckets[relation]]
    if (act === undefined || bucket === undefined) throw new Error('nobody knows how')
    for (const [column, status] of statuses.entries()) {
      const who = people[column] ?? keeper
      await write(keeper, bucket)
      const answer = await act(who, bucket)
      t.equal(answer.status, Number(status), `${who.id}: ${answer.text.slice(0, 100)}`)
      cells++
    }
  })
}

await t.test('every cell', (t) => {
  t.equal(cells, table.length * roles.length)
  t.ok(cells > 200, `${cells} cells`)
  t.end()
})
