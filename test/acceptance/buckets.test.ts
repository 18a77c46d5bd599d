import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { type Answer, type Call, listOf } from './support/http.js'
import { actedFor, type Person, personOf } from './support/people.js'
import { openRaw, requestHead } from './support/raw.js'
import { openReader, type Reader } from './support/reader.js'
import { needlesOf, search, searchFolder } from './support/search.js'
import { startServer } from './support/server.js'

// Objects in buckets: found by a key, sent and handed out by URLs, by permission alone. API.md, E.

const server = await startServer({
  ...{ TRUST_PROXY: '1', LOG_LEVEL: 'trace', TICKET_MAX_SECONDS: '60' },
  BUCKETS: 'documents, archive, unused',
  SERVICE_CLIENTS: JSON.stringify({
    back: { roles: ['patient'], actions: ['view', 'download', 'upload', 'delete'] },
    reader: { roles: ['patient'], actions: ['view', 'download'] },
  }),
})
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const all = { can_read: true, can_write: true, can_delete: true, can_list: true }
const none = { can_read: false, can_write: false, can_delete: false, can_list: false }
const type = 'application/pdf'

interface Url {
  readonly presigned_url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly fields: object
  readonly expires_at: string
}
interface Listing {
  readonly objects: readonly {
    readonly key: string
    readonly size: number
    readonly last_modified: string
    readonly content_type: string
  }[]
  readonly common_prefixes: readonly string[]
  readonly next_cursor: string | null
}

const jsonOf = ({ text }: Answer): unknown => JSON.parse(text)

/** Gives a permission, and says by which path it is changed. */
async function give(who: Person, bucket: string, prefix: string, rights: object) {
  const body = { user_id: who.id, bucket_name: bucket, prefix, ...none, ...rights }
  const made = await admin.post('/api/v1/permissions', body)
  if (made.status !== 201) throw new Error(made.text)
  return `/api/v1/permissions/${made.body.id}`
}

const presign = (who: Person, operation: string, key: string, more: object = {}) =>
  who.post('/api/v1/s3/presigned-url', {
    ...{ bucket_name: 'documents', object_key: key, operation },
    ...more,
  })

async function urlOf(who: Person, operation: string, key: string, more: object = {}) {
  const answer = await presign(who, operation, key, more)
  if (answer.status !== 200) throw new Error(`no URL: ${answer.status} ${answer.text}`)
  return jsonOf(answer) as Url
}

/** A client without a token. */
const put = ({ presigned_url: url }: Url, data: Buffer, headers: Call['headers'] = {}) =>
  server.call(new URL(url).pathname, { method: 'PUT', body: data, headers })
const get = ({ presigned_url: url }: Url) => server.call(new URL(url).pathname)

/** Asked for and sent; says the id of its file. */
async function objectOf(who: Person, key: string, data: Buffer, more: object = {}) {
  const sent = await put(await urlOf(who, 'upload', key, more), data)
  if (sent.status !== 200) throw new Error(`not sent: ${sent.status} ${sent.text}`)
  return String(sent.body.id)
}

async function reads(t: Test, who: Person, key: string, data: Buffer, more: object = {}) {
  hasBytes(t, await get(await urlOf(who, 'download', key, more)), data)
}

const list = (who: Person, query = '', bucket = 'documents') =>
  who.get(`/api/v1/s3/list/${bucket}?${query}`)
const listing = async (who: Person, query = '', bucket = 'documents') => {
  const answer = await list(who, query, bucket)
  if (answer.status !== 200) throw new Error(`no list: ${answer.status} ${answer.text}`)
  return jsonOf(answer) as Listing
}
const keysOf = ({ objects }: Listing) => objects.map(({ key }) => key)
const remove = (who: Person, key: string, bucket = 'documents') =>
  who.delete(`/api/v1/s3/object/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`)

const eventsOf = async (query: string) =>
  listOf(await admin.get(`/api/v1/audit/logs?limit=200&${query}`)).map(
    ({ action, outcome, reason }) =>
      [action, outcome, reason].filter((each) => typeof each === 'string').join(' '),
  )

const anna = personOf(server, 'anna')
await give(anna, 'documents', 'wards', all)

await t.test('sent, listed, handed out and deleted', async (t) => {
  const data = pdf('a plan', 200_000)
  const key = 'wards/3/Plan of A. Miller é.pdf'
  const asked = { content_type: type, size: data.length, expiry_seconds: 30, unknown: 1 }
  const answer = await presign(anna, 'upload', key, asked)
  hasStatus(t, answer, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  const url = jsonOf(answer) as Url
  t.match(url, { method: 'PUT', headers: { 'Content-Type': type }, fields: {} })
  t.ok(Math.abs(Date.parse(url.expires_at) - Date.now() - 30_000) < 5_000, 'as was wished for')
  t.equal(new URL(url.presigned_url).origin, server.origin)
  t.same(await listing(anna, 'prefix=wards/'), {
    ...{ objects: [], common_prefixes: [], next_cursor: null },
  })
  isProblem(t, await presign(anna, 'download', key), 404, 'not_found')

  const sent = await put(url, data, { 'content-type': type })
  hasStatus(t, sent, 200)
  const id = String(sent.body.id)
  t.same(jsonOf(sent), { id, key, upload_status: 'Completed' })
  isProblem(t, await put(url, data, { 'content-type': type }), 410, 'ticket_over')
  t.same((await listing(anna, 'prefix=wards')).common_prefixes, ['wards/3/'])
  const told = await listing(anna, 'prefix=wards/3/')
  t.match(told, { common_prefixes: [], next_cursor: null })
  t.match(told.objects, [{ key, size: data.length, content_type: type }])
  t.ok(Math.abs(Date.parse(told.objects[0]?.last_modified ?? '') - Date.now()) < 60_000)

  const download = await urlOf(anna, 'download', key, { content_type: null, size: null })
  t.match(download, { method: 'GET', headers: {}, fields: {} })
  const served = await get(download)
  hasBytes(t, served, data)
  t.match(served.headers['content-disposition'], /^attachment.*Plan%20of%20A\.%20Miller/)
  t.notMatch(served.headers['content-disposition'], /wards/)

  const gone = await remove(anna, key)
  hasStatus(t, gone, 200)
  const { purge_after: purgeAfter } = gone.body
  t.ok(Date.parse(purgeAfter ?? '') > Date.now() + 29 * 86_400_000, 'after the retention time')
  isProblem(t, await get(download), 404, 'not_found')
  isProblem(t, await presign(anna, 'download', key), 404, 'not_found')
  isProblem(t, await remove(anna, key), 404, 'not_found')
  t.same((await listing(anna, 'prefix=wards')).common_prefixes, [], 'nor is its folder')
  t.same(
    (await eventsOf(`resource=${id}`)).filter((each) => !each.startsWith('audit.')),
    [
      ...['file.download denied not_found', 'object.delete success', 'file.download success'],
      ...['ticket.issue success', 'object.upload success', 'object.presign success'],
    ],
  )
  t.ok((await eventsOf('action=object.list')).length >= 4, 'listing is its own event')
})

await t.test('buckets in which somebody may do something', async (t) => {
  const ben = personOf(server, 'ben')
  t.same(jsonOf(await ben.get('/api/v1/s3/buckets')), [])
  await give(ben, 'archive', 'a', { can_read: true })
  await give(ben, 'archive', 'b', { can_write: true })
  await give(ben, 'documents', 'b', { can_list: true })
  const answer = await ben.get('/api/v1/s3/buckets')
  hasStatus(t, answer, 200)
  t.same(jsonOf(answer), [
    { name: 'documents', ...none, can_list: true },
    { name: 'archive', ...none, can_read: true, can_write: true },
  ])
  t.same(jsonOf(await admin.get('/api/v1/s3/buckets')), [], 'an administrator has none by that')
  t.equal((await eventsOf('action=bucket.list&user_id=ben')).length, 2)
})

await t.test('who may not, may not', async (t) => {
  const data = pdf('of ward 3')
  await objectOf(anna, 'wards/3/plan.pdf', data)
  const key = 'wards/3/plan.pdf'
  const tries = (who: Person): Promise<Answer>[] => [
    presign(who, 'download', key),
    presign(who, 'upload', key),
    remove(who, key),
    list(who, 'prefix=wards/3'),
  ]
  for (const role of ['admin', 'DOC_VIEWALL', 'DOC_UPLALL', 'clinician', 'auditor']) {
    const who = personOf(server, `nobody-${role}`, { role })
    for (const answer of await Promise.all(tries(who))) isProblem(t, answer, 404, 'not_found')
  }
  const next = personOf(server, 'next')
  await give(next, 'documents', 'wards/33', all)
  for (const answer of await Promise.all(tries(next))) isProblem(t, answer, 403, 'forbidden')
  const reader = personOf(server, 'reader-3')
  await give(reader, 'documents', 'wards/3/', { can_read: true, can_list: true })
  const statuses = (await Promise.all(tries(reader))).map(({ status }) => status)
  t.same(statuses, [200, 403, 403, 200])
  await reads(t, reader, key, data)
  for (const bucket of ['archive', 'elsewhere', 'DOCUMENTS']) {
    isProblem(t, await list(reader, '', bucket), 404, 'not_found')
    isProblem(t, await presign(reader, 'download', key, { bucket_name: bucket }), 404)
  }
  const denied = await eventsOf('user_id=next&outcome=denied')
  t.same(denied.sort(), [
    ...['object.delete denied forbidden', 'object.list denied forbidden'],
    ...['object.presign denied forbidden', 'ticket.issue denied forbidden'],
  ])
  t.equal((await eventsOf('user_id=nobody-admin&outcome=denied')).length, 4, 'on record')
  for (const path of ['/api/v1/s3/buckets', '/api/v1/s3/list/documents']) {
    isProblem(t, await server.call(path), 401, 'unauthenticated')
  }
})

await t.test('whose file it is opens nothing, and no other call knows it', async (t) => {
  const writer = personOf(server, 'writer', { role: 'DOC_VIEWALL' })
  await give(writer, 'documents', 'in-tray', { can_write: true })
  const id = await objectOf(writer, 'in-tray/letter.pdf', pdf('a letter'))
  isProblem(t, await presign(writer, 'download', 'in-tray/letter.pdf'), 403, 'forbidden')
  for (const who of [writer, admin]) {
    isProblem(t, await who.get(`/api/files/${id}`), 404, 'not_found')
    isProblem(t, await who.delete(`/api/files/${id}`), 404, 'not_found')
    isProblem(t, await who.get(`/api/docs/${id}/download`), 404, 'not_found')
    const ticket = await who.post('/api/tickets', { file_id: id, action: 'view' })
    isProblem(t, ticket, 404, 'not_found')
  }
  t.same(listOf(await writer.get('/api/docs')), [])
  t.same(listOf(await writer.get('/api/files/user')), [])
})

await t.test('a permission taken away ends a URL, and what is under way by it', async (t) => {
  const carl = personOf(server, 'carl')
  const path = await give(carl, 'documents', 'carl', all)
  const data = pdf('of carl', 3_000_000)
  await objectOf(carl, 'carl/one.pdf', data)
  const up = await urlOf(carl, 'upload', 'carl/two.pdf')
  const down = await urlOf(carl, 'download', 'carl/one.pdf')
  const slow = await openRaw(server.address)
  const size = { 'content-length': String(data.length) }
  const under = await urlOf(carl, 'upload', 'carl/three.pdf')
  await slow.write(requestHead('PUT', new URL(under.presigned_url).pathname, size))
  await slow.write(data.subarray(0, 1_000_000))
  hasStatus(t, await admin.put(path, { can_write: false, can_read: false }), 200)
  isProblem(t, await put(up, data), 403, 'forbidden')
  isProblem(t, await get(down), 403, 'forbidden')
  await slow.write(data.subarray(1_000_000))
  isProblem(t, await slow.answer(), 403, 'forbidden')
  slow.destroy()
  t.same(keysOf(await listing(carl, 'prefix=carl')), ['carl/one.pdf'], 'nothing came')
  hasStatus(t, await admin.put(path, { can_write: true }), 200)
  hasStatus(t, await put(up, data), 200, 'it was not spent')
  hasStatus(t, await admin.delete(path), 200)
  isProblem(t, await get(down), 404, 'not_found')
  const denied = await eventsOf('user_id=carl&outcome=denied')
  t.same(denied.sort(), [
    ...['file.download denied forbidden', 'file.download denied not_found'],
    ...['object.upload denied forbidden', 'object.upload denied forbidden'],
  ])
})

await t.test('a reading under way ends with the permission, and with the object', async (t) => {
  const kim = personOf(server, 'kim')
  const path = await give(kim, 'documents', 'kim', all)
  const data = randomBytes(60_000_000)
  pdf('large').copy(data)
  const begin = async () => {
    const { presigned_url: url } = await urlOf(kim, 'download', 'kim/large.pdf')
    const reader = await openReader(server.address, kim, new URL(url).pathname)
    t.equal(reader.status, 200)
    return reader
  }
  const isCut = async (reader: Reader) => {
    const got = await reader.drain()
    t.ok(got.length < data.length, `broken off after ${got.length} of ${data.length} bytes`)
  }
  const id = await objectOf(kim, 'kim/large.pdf', data)
  const replaced = await begin()
  const next = await objectOf(kim, 'kim/large.pdf', data)
  const brokenOff = async (fileId: string) =>
    (await eventsOf(`resource=${fileId}`)).some((each) => each.startsWith('file.read_broken_off'))
  await eventually('broken off by the new one', () => brokenOff(id))
  await isCut(replaced)
  const reading = await begin()
  hasStatus(t, await admin.put(path, { can_read: false }), 200)
  await eventually('broken off', () => brokenOff(next))
  await isCut(reading)
})

await t.test('one in the place of another', async (t) => {
  const dora = personOf(server, 'dora')
  await give(dora, 'documents', 'wards/7', all)
  const key = 'wards/7/plan.pdf'
  const [first, second] = [pdf('the first'), pdf('the second', 5_000)]
  const old = await objectOf(anna, key, first)
  const download = await urlOf(anna, 'download', key)
  const made = await objectOf(dora, key, second)
  t.not(made, old)
  await reads(t, anna, key, second)
  isProblem(t, await get(download), 404, 'not_found')
  t.same(keysOf(await listing(anna, 'prefix=wards/7')), [key], 'there is one')
  const events = await eventsOf(`resource=${old}`)
  t.ok(events.includes('object.delete success replaced'), 'on record with the old one')

  const held = await server.command('hold', 'place', '--file', made, '--reference', 'case-1')
  t.equal(held.code, 0, held.err)
  const before = (await server.blobs()).length
  const url = await urlOf(dora, 'upload', key)
  isProblem(t, await put(url, pdf('the third')), 423, 'legal_hold')
  isProblem(t, await remove(dora, key), 423, 'legal_hold')
  await reads(t, anna, key, second)
  t.equal((await server.blobs()).length, before, 'nothing is changed')
  t.ok((await eventsOf(`resource=${made}`)).includes('object.delete denied legal_hold'))
  const holds = await server.command('hold', 'list', '--json')
  const [hold] = (JSON.parse(holds.out) as { holds: { hold_id: string }[] }).holds
  const released = await server.command('hold', 'release', hold?.hold_id ?? '')
  t.equal(released.code, 0, released.err)
  hasStatus(t, await put(url, pdf('the third')), 200, 'a refusal does not spend it')
})

await t.test('of many at once one is there', async (t) => {
  const people = ['eve-1', 'eve-2', 'eve-3'].map((id) => personOf(server, id))
  for (const who of people) await give(who, 'documents', 'race', all)
  const tries = people.flatMap((who, nth) =>
    [0, 1, 2].map((more) => ({ who, nth: nth * 3 + more })),
  )
  const urls = await Promise.all(tries.map(({ who }) => urlOf(who, 'upload', 'race/a/b/one.pdf')))
  const contents = tries.map(({ nth }) => pdf(`racer ${nth}`, 3_000))
  const sent = await Promise.all(urls.map((url, nth) => put(url, contents[nth] ?? Buffer.alloc(0))))
  for (const answer of sent) hasStatus(t, answer, 200)
  const [eve = anna] = people
  t.same(keysOf(await listing(eve, 'prefix=race/a/b')), ['race/a/b/one.pdf'])
  const served = await get(await urlOf(eve, 'download', 'race/a/b/one.pdf'))
  t.ok(
    contents.some((data) => data.equals(served.bytes)),
    'one of them, whole',
  )
  const same = await urlOf(eve, 'upload', 'race/once.pdf')
  const twice = await Promise.all(contents.slice(0, 3).map((data) => put(same, data)))
  t.same(twice.map(({ status }) => status).sort(), [200, 410, 410], 'a URL is used once')
  const ends = await Promise.all(people.map((who) => remove(who, 'race/a/b/one.pdf')))
  t.same(ends.map(({ status }) => status).sort(), [200, 404, 404])
  await Promise.all(
    Array.from({ length: 6 }, async (_each, nth) => {
      const who = people[nth % 3] ?? eve
      await objectOf(who, 'race/x/y.pdf', pdf(`x ${nth}`))
      await remove(who, 'race/x/y.pdf')
    }),
  )
  await eventually('no folder is left over', async () => {
    const { common_prefixes: left } = await listing(eve, 'prefix=race')
    return left.length === 0
  })
})

await t.test('only what may be listed, and the way there', async (t) => {
  for (const key of ['deep/a/b/1.pdf', 'deep/a/c/2.pdf', 'deep/d/3.pdf', 'deep/4.pdf']) {
    await give(anna, 'archive', key, all)
    await objectOf(anna, key, pdf(key), { bucket_name: 'archive' })
  }
  const fay = personOf(server, 'fay')
  await give(fay, 'archive', 'deep/a/b/', { can_list: true })
  await give(fay, 'archive', 'deep/4.pdf', { can_list: true })
  await give(fay, 'archive', 'deep/a/nothing', { can_list: true })
  await give(fay, 'archive', 'elsewhere/nothing', { can_list: true })
  await give(fay, 'archive', 'deep/d', { can_read: true })
  const seen = async (prefix: string) => {
    const { objects, common_prefixes: folders } = await listing(fay, `prefix=${prefix}`, 'archive')
    return [objects.map(({ key }) => key), folders]
  }
  t.same(await seen(''), [[], ['deep/']])
  t.same(await seen('deep/'), [['deep/4.pdf'], ['deep/a/']])
  t.same(await seen('deep/a'), [[], ['deep/a/b/']])
  t.same(await seen('deep/a/b'), [['deep/a/b/1.pdf'], []])
  for (const prefix of ['deep/d', 'deep/a/c', 'other']) {
    isProblem(t, await list(fay, `prefix=${prefix}`, 'archive'), 403, 'forbidden')
  }
})

await t.test('pages', async (t) => {
  const gus = personOf(server, 'gus')
  await give(gus, 'documents', 'pages', all)
  const keys = ['pages/0.pdf', 'pages/1/x.pdf', 'pages/2.pdf', 'pages/3/x.pdf', 'pages/4.pdf']
  for (const key of [...keys, 'pages/1/y.pdf']) await objectOf(gus, key, pdf(key))
  const seen: string[] = []
  let cursor = ''
  for (let page = 0; ; page++) {
    const {
      objects,
      common_prefixes: folders,
      next_cursor: next,
    } = await listing(gus, `prefix=pages&limit=2${cursor}`)
    t.ok(objects.length + folders.length <= 2)
    seen.push(...objects.map(({ key }) => key), ...folders)
    if (next === null || page > 9) break
    cursor = `&cursor=${next}`
  }
  const there = ['pages/0.pdf', 'pages/1/', 'pages/2.pdf', 'pages/3/', 'pages/4.pdf']
  t.same([...seen].sort(), there, 'all of it, nothing twice')
  isProblem(t, await list(gus, 'prefix=pages&cursor=x'), 400, 'invalid_field')
  isProblem(t, await list(gus, 'prefix=pages&limit=0'), 400, 'invalid_field')
})

await t.test('what is no key, and no wish', async (t) => {
  const root = personOf(server, 'root')
  await give(root, 'unused', '', all)
  const more = { bucket_name: 'unused' }
  const folders = Array.from({ length: 65 }, () => 'f').join('/')
  const bad = ['', '/a', 'a/', 'a//b', '.', 'a/..', 'a/./b', 'a\0b', 'a\nb', 'a\u0085', '\ud800']
  for (const key of [...bad, 'é'.repeat(513), 'a'.repeat(1_025), `${folders}/x`]) {
    for (const operation of ['upload', 'download']) {
      isProblem(t, await presign(root, operation, key, more), 400, 'invalid_field')
    }
  }
  for (const body of [
    ...[{ operation: 'delete' }, { object_key: 7 }, { size: -1 }, { size: 1.5 }],
    ...[{ expiry_seconds: 0 }, { bucket_name: '' }, { content_type: 7 }],
  ]) {
    isProblem(t, await presign(root, 'upload', 'a', { ...more, ...body }), 400, 'invalid_field')
  }
  for (const prefix of ['/', '//', 'a//', '..', '%00', 'a'.repeat(1_026)]) {
    isProblem(t, await list(root, `prefix=${prefix}`, 'unused'), 400, 'invalid_field')
  }
  isProblem(t, await presign(root, 'upload', 'a', { ...more, content_type: 'text/html' }), 415)
  isProblem(t, await presign(root, 'upload', 'a', { ...more, size: 2 ** 40 }), 413)
  const data = pdf('odd names')
  const names = [
    'ü/日本 語/a b+c%25.pdf',
    '%2e%2e/x',
    '...',
    'a\\b',
    'é'.repeat(512),
    `${'f/'.repeat(64)}x`,
  ]
  for (const key of names) {
    await objectOf(root, key, data, more)
    await reads(t, root, key, data, more)
    hasStatus(t, await remove(root, key, 'unused'), 200, key.slice(0, 20))
  }
  t.match(await listing(root, '', 'unused'), { objects: [], common_prefixes: [] })
  await objectOf(root, 'folder', data, more)
  await objectOf(root, 'folder/in', data, more)
  for (const path of ['folder/', 'folder%2F', '', 'folder/%2e%2e']) {
    const answer = await root.delete(`/api/v1/s3/object/unused/${path}`)
    t.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`)
  }
  t.match(await listing(root, '', 'unused'), {
    ...{ objects: [{ key: 'folder' }], common_prefixes: ['folder/'] },
  })
})

await t.test('bytes that are not what was asked for are not kept', async (t) => {
  const data = pdf('asked for', 5_000)
  const before = (await server.blobs()).length
  const url = await urlOf(anna, 'upload', 'wards/9.pdf', { content_type: type, size: data.length })
  const typed = { 'content-type': type }
  isProblem(t, await put(url, data, { 'content-type': 'image/png' }), 422, 'content_mismatch')
  isProblem(t, await put(url, data), 422, 'content_mismatch')
  isProblem(t, await put(url, data.subarray(1), typed), 422, 'content_mismatch')
  isProblem(t, await put(url, Buffer.alloc(5_000, 'x'), typed), 415)
  t.equal((await server.blobs()).length, before)
  isProblem(t, await get(url), 410, 'ticket_over')
  hasStatus(t, await put(url, data, typed), 200)
  const open = await urlOf(anna, 'upload', 'wards/10', { content_type: 'application/octet-stream' })
  t.same(open.headers, { 'Content-Type': 'application/octet-stream' })
  isProblem(t, await put(open, Buffer.from('MZ\0\0')), 415, 'type_not_allowed')
  hasStatus(t, await put(open, Buffer.from('plain text')), 200)
  const { objects } = await listing(anna, 'prefix=wards')
  t.ok(objects.some((each) => each.key === 'wards/10' && each.content_type === 'text/plain'))
})

await t.test('a service, for a person', async (t) => {
  const token = (client: string) => server.tokenOf(client, { role: 'service' })
  const back = actedFor(server, 'anna', token('back'))
  const reader = actedFor(server, 'anna', token('reader'))
  await objectOf(back, 'wards/service.pdf', pdf('by a service'))
  hasStatus(t, await list(reader, 'prefix=wards'), 200)
  isProblem(t, await presign(reader, 'upload', 'wards/x.pdf'), 403, 'not_acted_for')
  isProblem(t, await presign(reader, 'download', 'wards/service.pdf'), 403, 'not_acted_for')
  isProblem(t, await remove(reader, 'wards/service.pdf'), 403, 'not_acted_for')
  isProblem(t, await presign(back, 'upload', 'elsewhere/x.pdf'), 403, 'forbidden')
  hasStatus(t, await remove(back, 'wards/service.pdf'), 200)
})

await t.test('keys are turned, and all of it still opens', async (t) => {
  const data = pdf('before the turn')
  await objectOf(anna, 'wards/turn/one.pdf', data)
  const waiting = await urlOf(anna, 'upload', 'wards/turn/two.pdf')
  for (const id of ['space|bucket|documents', 'anna']) {
    const { code, err } = await server.command('keys', 'rotate-user', id)
    t.equal(code, 0, err)
  }
  await reads(t, anna, 'wards/turn/one.pdf', data)
  hasStatus(t, await put(waiting, data), 200)
  t.same(keysOf(await listing(anna, 'prefix=wards/turn')), [
    ...['wards/turn/one.pdf', 'wards/turn/two.pdf'],
  ])
  t.ok((await listing(anna, 'prefix=wards')).common_prefixes.includes('wards/turn/'))
})

await t.test('who is erased takes their objects along', async (t) => {
  const gone = personOf(server, 'gone')
  await give(gone, 'documents', 'wards/gone', all)
  await objectOf(gone, 'wards/gone/only.pdf', pdf('to be erased'))
  const waiting = await urlOf(gone, 'upload', 'wards/gone/late.pdf')
  const shred = await server.command('shred', '--person', 'gone', '--yes')
  t.equal(shred.code, 0, shred.err)
  await eventually('it is gone', async () => {
    return (await presign(anna, 'download', 'wards/gone/only.pdf')).status === 404
  })
  t.same(keysOf(await listing(anna, 'prefix=wards/gone')), [])
  t.notOk((await listing(anna, 'prefix=wards')).common_prefixes.includes('wards/gone/'))
  t.not((await put(waiting, pdf('late'))).status, 200)
  const data = pdf('in its place')
  await objectOf(anna, 'wards/gone/only.pdf', data)
  await reads(t, anna, 'wards/gone/only.pdf', data)
})

await t.test('the log of all this is sound', async (t) => {
  const verified = await server.command('audit', 'verify')
  t.equal(verified.code, 0, verified.out + verified.err)
})

await t.test('names are nowhere in the open', async (t) => {
  const word = 'zqquillfeather'
  await give(anna, 'documents', word, all)
  await objectOf(anna, `${word}/${word}folder/${word}.pdf`, pdf('named'))
  await urlOf(anna, 'upload', `${word}/${word}waiting.pdf`)
  await listing(anna, `prefix=${word}/${word}folder`)
  await presign(anna, 'download', `${word}/none`)
  await presign(anna, 'download', `${word}//none`)
  await remove(anna, `${word}none/x`)
  isProblem(t, await list(anna, '', `${word}bucket`), 404, 'not_found')
  isProblem(t, await presign(anna, 'upload', 'x', { bucket_name: `${word}bucket` }), 404)
  isProblem(t, await remove(anna, 'x', `${word}bucket`), 404, 'not_found')
  isProblem(t, await presign(anna, 'upload', 'x', { bucket_name: 'a\0b' }), 404, 'not_found')
  await remove(anna, `${word}/${word}folder/${word}.pdf`)
  await objectOf(anna, `${word}/${word}kept/${word}.pdf`, pdf('kept'))
  const needles = needlesOf(word)
  t.same(await searchFolder(server.dataDir, needles), [])
  t.same(search('the log', Buffer.from(server.logs()), needles), [])
  const tables = await server.database?.query(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  )
  for (const { name } of tables ?? []) {
    const rows = await server.database?.query(`select each::text as row from ${String(name)} each`)
    t.same(search(String(name), Buffer.from(JSON.stringify(rows)), needles), [])
  }
  t.equal(await server.stop(), 0)
  t.same(await searchFolder(server.dataDir, needles), [])
})
