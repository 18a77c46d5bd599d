import t, { type Test } from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { digestField, pdf, png, sha256 } from './support/content.js'
import { eventually } from './support/eventually.js'
import { type Answer, listOf } from './support/http.js'
import { fields, filePart } from './support/multipart.js'
import { filePath, idOf, personOf, uploadPath } from './support/people.js'
import { openRaw, rawCall, requestHead } from './support/raw.js'
import { startServer } from './support/server.js'

const server = await startServer()
t.teardown(() => server.close())

let people = 0
/** Someone who has nothing yet. */
const someone = () => personOf(server, `person-${++people}`)

const segment = 256 * 1024
const owner = someone()
const data = pdf('conventions', 3 * segment + 1234)
const file = filePath(await owner.file(data, { filename: 'big.pdf' }))

await t.test('health', async (t) => {
  for (const path of ['/api/health/', '/api/health']) {
    const answer = await server.call(path)
    hasStatus(t, answer, 200)
    t.strictSame(answer.body, { status: 'healthy' })
  }
  for (const path of ['/health/live', '/health/ready', '/health/ready/']) {
    hasStatus(t, await server.call(path), 200, path)
    hasStatus(t, await server.call(path, { method: 'HEAD' }), 200, path)
  }
})

await t.test('the OpenAPI document names every call of the contract', async (t) => {
  const answer = await server.call('/api/openapi.json')
  hasStatus(t, answer, 200)
  const { paths } = JSON.parse(answer.text) as { paths: Record<string, Record<string, unknown>> }
  const names = new Map(
    Object.entries(paths).map(([path, calls]) => [
      path.replace(/\/$/, '').replaceAll(/\{[^}]*\}/g, '{}'),
      Object.keys(calls),
    ]),
  )
  const calls = [
    'post /api/files/upload',
    'post /api/files/upload/batch',
    'post /api/files/check',
    'get /api/files/user',
    'get /api/files/{}',
    'head /api/files/{}',
    'delete /api/files/{}',
    'delete /api/files/{}/delete',
    'get /api/files/{}/metadata',
    'patch /api/files/{}/metadata',
    'post /api/files/{}/restore',
    'put /api/files/{}/content',
    'get /api/files/{}/versions',
    'get /api/files/{}/access-log',
    'post /api/files/upload/medical-record',
    'get /api/files/medical-records',
    'get /api/files/medical-records/{}/download',
    'head /api/files/medical-records/{}/download',
    'delete /api/files/medical-records/{}/delete',
    'get /api/files/medical-records/{}/grants',
    'post /api/files/medical-records/{}/grants',
    'delete /api/files/medical-records/{}/grants/{}',
    'get /api/files/medical-records/{}/metadata',
    'patch /api/files/medical-records/{}/metadata',
    'put /api/files/medical-records/{}/content',
    'get /api/files/medical-records/{}/versions',
    'post /api/files/medical-records/{}/restore',
    'get /api/files/medical-records/{}/access-log',
    'get /api/patients/me/access-log',
    'get /api/medical-record-types',
    'post /api/medical-record-types',
    'put /api/medical-record-types/{}',
    'delete /api/medical-record-types/{}',
    'get /api/assignments',
    'post /api/assignments',
    'delete /api/assignments',
    'get /api/health',
  ]
  for (const wanted of calls) {
    const [method = '', path = ''] = wanted.split(' ')
    const near = [path, `${path}/{}`].flatMap((each) => names.get(each) ?? [])
    t.ok(near.includes(method), wanted)
  }
})

await t.test('errors are problem documents, whatever went wrong', async (t) => {
  isProblem(t, await owner.get('/nowhere'), 404, 'not_found')
  isProblem(t, await owner.get('/api/files/x/y/z/nowhere'), 404, 'not_found')
  const broken = { method: 'POST', headers: { 'content-type': 'application/json' } }
  for (const body of ['{', '', '"', '{"a":1}}', '\0', 'nul']) {
    isProblem(t, await owner.call('/api/files/check', { ...broken, body }), 400)
  }
  const polluted = '{"__proto__":{"x":1},"sha256":"","size":1}'
  isProblem(t, await owner.call('/api/files/check', { ...broken, body: polluted }), 400)
  const long = JSON.stringify({ sha256: 'x'.repeat(3 << 20), size: 1 })
  isProblem(t, await owner.call('/api/files/check', { ...broken, body: long }), 413)
  const typed = { method: 'POST', headers: { 'content-type': 'application/xml' }, body: '<a/>' }
  isProblem(t, await owner.call('/api/files/check', typed), 415)
  const charset = { 'content-type': 'application/json; charset=utf-8' }
  const question = { sha256: sha256(data), size: data.length }
  hasStatus(t, await owner.post('/api/files/check', question, charset), 200)
})

await t.test('X-Request-Id is kept if well formed, else made', async (t) => {
  for (const id of ['abc-123', '7f0b8c1e-6c2f-4b1a-9a7e-0123456789ab']) {
    const answer = await owner.get('/nowhere', { 'x-request-id': id })
    t.equal(answer.headers['x-request-id'], id)
    t.equal(answer.body.request_id, id)
    await eventually('the log', () => server.logs().includes(id))
  }
  for (const id of ['', 'a b', '<script>', 'x'.repeat(500), '"quoted"', 'ä']) {
    const answer = await owner.get('/nowhere', { 'x-request-id': id })
    t.not(answer.headers['x-request-id'], id)
    t.match(answer.headers['x-request-id'], /^[\w-]{8,}$/)
  }
  const [one, two] = [await owner.get('/api/files/user'), await owner.get('/api/files/user')]
  t.not(one.headers['x-request-id'], two.headers['x-request-id'])
})

await t.test('a trailing slash makes no difference', async (t) => {
  for (const path of ['/api/files/user', file, `${file}/metadata`, `${file}/versions`]) {
    const [without, with_] = [await owner.get(path), await owner.get(`${path}/`)]
    hasStatus(t, without, 200, path)
    hasStatus(t, with_, 200, `${path}/`)
    t.equal(without.text, with_.text)
  }
  hasStatus(t, await owner.get('/api/files/user/?limit=1'), 200)
  const upload = await owner.form(`${uploadPath}/`, [filePart(pdf('slash'))])
  hasStatus(t, upload, 201)
})

await t.test('a method that is not there is answered 405 with Allow', async (t) => {
  const wrong: [string, string, string[]][] = [
    ['GET', uploadPath, ['POST']],
    ['PUT', '/api/files/check', ['POST']],
    ['DELETE', '/api/files/user', ['GET', 'HEAD']],
    ['PATCH', file, ['GET', 'HEAD', 'DELETE']],
    ['POST', `${file}/metadata`, ['GET', 'PATCH']],
    ['GET', '/api/files/upload/medical-record', ['POST']],
    ['POST', '/api/files/medical-records', ['GET']],
  ]
  for (const [method, path, allowed] of wrong) {
    const answer = await owner.call(path, { method })
    isProblem(t, answer, 405, 'method_not_allowed')
    const allow = (answer.headers['allow'] ?? '').split(/, */)
    for (const each of allowed) t.ok(allow.includes(each), `${path} allows ${each}`)
    t.notOk(allow.includes(method))
  }
})

await t.test('lists: limit is clamped, the cursor leads through all', async (t) => {
  const anna = someone()
  const ids: string[] = []
  for (let n = 0; n < 7; n++) ids.push(await anna.file(pdf(`list ${n}`, 100)))
  const seen: (string | undefined)[] = []
  let path = '/api/files/user?limit=3'
  for (let page = 0; page < 3; page++) {
    const answer = await anna.get(path)
    hasStatus(t, answer, 200)
    seen.push(...listOf(answer).map((entry) => entry.file_id))
    t.equal(listOf(answer).length, page < 2 ? 3 : 1)
    const { next_cursor: next } = answer.body
    if (page === 2) t.equal(next, null)
    else t.type(next, 'string')
    path = `/api/files/user?limit=3&cursor=${encodeURIComponent(next ?? '')}`
  }
  t.same([...seen].sort(), [...ids].sort(), 'each once')
  t.equal(listOf(await anna.get('/api/files/user?limit=100000')).length, 7)
  for (const query of ['limit=0', 'limit=-1', 'limit=x', 'limit=1.5', 'cursor=x', 'cursor=%00']) {
    const answer = await anna.get(`/api/files/user?${query}`)
    if (answer.status !== 200) isProblem(t, answer, 400)
    t.not(answer.status >= 500, true, query)
  }
  isProblem(t, await anna.get('/api/files/user?cursor=nonsense'), 400)
  isProblem(t, await anna.get('/api/files/user?limit=x'), 400)
})

await t.test(
  'lists: 50 by default, 200 at most, and an entry made meanwhile harms none',
  async (t) => {
    const anna = someone()
    const parts = (from: number) =>
      Array.from({ length: 20 }, (_, n) => filePart(pdf(`many ${from + n}`, 64)))
    for (let n = 0; n < 220; n += 20) {
      hasStatus(t, await anna.form('/api/files/upload/batch', parts(n)), 207)
    }
    t.equal(listOf(await anna.get('/api/files/user')).length, 50)
    const most = await anna.get('/api/files/user?limit=500')
    t.equal(listOf(most).length, 200)
    await anna.file(pdf('meanwhile'))
    const cursor = encodeURIComponent(most.body.next_cursor ?? '')
    const rest = await anna.get(`/api/files/user?limit=200&cursor=${cursor}`)
    const ids = [...listOf(most), ...listOf(rest)].map((entry) => entry.file_id)
    t.equal(new Set(ids).size, ids.length, 'nothing comes twice')
    t.ok(ids.length >= 220, 'and nothing is left out')
  },
)

await t.test('the digest may come in three ways, and is verified', async (t) => {
  const anna = someone()
  let count = 0
  const fresh = () => pdf(`digest ${++count}`, 300_000)
  const other = pdf('another')
  const ways: [string, (sent: Buffer, named: Buffer) => Promise<Answer>][] = [
    [
      'a field before the file',
      (sent, named) =>
        anna.form(uploadPath, [...fields({ sha256: sha256(named) }), filePart(sent)]),
    ],
    [
      'a field after the file',
      (sent, named) =>
        anna.form(uploadPath, [filePart(sent), ...fields({ sha256: sha256(named) })]),
    ],
    [
      'Content-Digest of the part',
      (sent, named) => anna.upload(sent, { headers: { 'content-digest': digestField(named) } }),
    ],
    [
      'Content-Digest of the request',
      (sent, named) =>
        anna.form(uploadPath, [filePart(sent)], {
          headers: { 'content-digest': digestField(named) },
        }),
    ],
  ]
  for (const [what, send] of ways) {
    t.comment(what)
    const sent = fresh()
    isProblem(t, await send(sent, other), 422, 'digest_mismatch')
    const answer = await send(sent, sent)
    hasStatus(t, answer, 201, what)
    t.equal(answer.body.sha256, sha256(sent))
  }
  const upper = fresh()
  const inUpperCase = fields({ sha256: sha256(upper).toUpperCase() })
  hasStatus(t, await anna.upload(upper, {}, inUpperCase), 201)
  for (const wrong of ['', 'abc', 'z'.repeat(64)]) {
    const answer = await anna.upload(fresh(), {}, fields({ sha256: wrong }))
    isProblem(t, answer, 400, 'invalid_field')
  }
})

await t.test('downloads carry digests', async (t) => {
  const whole = await owner.get(file)
  t.equal(whole.headers['repr-digest'], digestField(data))
  t.equal(whole.headers['content-digest'], digestField(data))
  const part = await owner.get(file, { range: 'bytes=10-19' })
  hasStatus(t, part, 206)
  t.equal(part.headers['repr-digest'], digestField(data))
  const digest = part.headers['content-digest']
  if (digest !== undefined) t.equal(digest, digestField(data.subarray(10, 20)))
})

/** The bytes `from` to `to`, both included, as a 206. */
const isPart = (test: Test, answer: Answer, from: number, to: number) => {
  hasStatus(test, answer, 206)
  test.equal(answer.headers['content-range'], `bytes ${from}-${to}/${data.length}`)
  test.equal(answer.headers['content-length'], String(to - from + 1))
  test.ok(answer.bytes.equals(data.subarray(from, to + 1)), `bytes ${from} to ${to}`)
}

await t.test('ranges', async (t) => {
  const last = data.length - 1
  const ranges: [string, number, number][] = [
    ['0-0', 0, 0],
    ['0-', 0, last],
    ['0-99', 0, 99],
    [`${last}-`, last, last],
    [`${last}-${last}`, last, last],
    ['-1', last, last],
    ['-500', data.length - 500, last],
    [`-${data.length * 2}`, 0, last],
    [`${segment - 1}-${segment}`, segment - 1, segment],
    [`${segment}-${2 * segment - 1}`, segment, 2 * segment - 1],
    [`${segment - 10}-${3 * segment + 10}`, segment - 10, 3 * segment + 10],
    [`100-${data.length * 10}`, 100, last],
    ['100-99999999999999999999', 100, last],
  ]
  for (const [range, from, to] of ranges) {
    t.comment(range)
    isPart(t, await owner.get(file, { range: `bytes=${range}` }), from, to)
  }
  isPart(t, await owner.get(`${file}?view=true`, { range: 'bytes=5-9' }), 5, 9)
})

await t.test('random ranges are slices of the whole', async (t) => {
  for (let n = 1; n <= 40; n++) {
    const [a, b] = [(n * 7_919_111) % data.length, (n * n * 104_729) % data.length]
    const [from, to] = [Math.min(a, b), Math.max(a, b)]
    isPart(t, await owner.get(file, { range: `bytes=${from}-${to}` }), from, to)
  }
})

await t.test('ranges past the end are answered 416, nonsense is ignored', async (t) => {
  const beyond = [`${data.length}-`, `${data.length}-${data.length + 5}`, '99999999999-', '-0']
  for (const range of beyond) {
    const answer = await owner.get(file, { range: `bytes=${range}` })
    isProblem(t, answer, 416, 'range_not_satisfiable')
    t.equal(answer.headers['content-range'], `bytes */${data.length}`)
  }
  for (const range of ['bytes=', 'bytes=a-b', 'bytes=5-2', 'lines=1-2', 'bytes 1-2', 'bytes=--1']) {
    const answer = await owner.get(file, { range })
    hasBytes(t, answer, data)
  }
  const many = await owner.get(file, { range: 'bytes=0-1,5-6' })
  hasBytes(t, many, data)
  const facts = { filename: 'empty.txt', type: 'text/plain' }
  const empty = filePath(await owner.file(Buffer.alloc(0), facts))
  const answer = await owner.get(empty, { range: 'bytes=0-1' })
  isProblem(t, answer, 416, 'range_not_satisfiable')
  t.equal(answer.headers['content-range'], 'bytes */0')
  hasBytes(t, await owner.get(empty, { range: 'bytes=-5' }), Buffer.alloc(0))
})

await t.test('If-Range: the part only of the same file', async (t) => {
  const { headers } = await owner.head(file)
  const etag = headers['etag'] ?? ''
  isPart(t, await owner.get(file, { range: 'bytes=5-9', 'if-range': etag }), 5, 9)
  hasBytes(t, await owner.get(file, { range: 'bytes=5-9', 'if-range': '"other"' }), data)
  hasBytes(t, await owner.get(file, { range: 'bytes=5-9', 'if-range': `W/${etag}` }), data)
  const old = 'Mon, 01 Jan 2001 00:00:00 GMT'
  hasBytes(t, await owner.get(file, { range: 'bytes=5-9', 'if-range': old }), data)
})

await t.test('If-None-Match and If-Match', async (t) => {
  const { headers } = await owner.head(file)
  const etag = headers['etag'] ?? ''
  for (const value of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await owner.get(file, { 'if-none-match': value })
    hasStatus(t, answer, 304, value)
    t.equal(answer.bytes.length, 0)
    t.equal(answer.headers['etag'], etag)
    t.equal(answer.headers['cache-control'], 'private, no-store')
  }
  hasBytes(t, await owner.get(file, { 'if-none-match': '"other"' }), data)
  hasStatus(t, await owner.head(file, { 'if-none-match': etag }), 304)
  hasBytes(t, await owner.get(file, { 'if-match': etag }), data)
  isProblem(t, await owner.get(file, { 'if-match': '"other"' }), 412, 'precondition_failed')
  const stranger = someone()
  isProblem(t, await stranger.get(file, { 'if-none-match': etag }), 404)
  isProblem(t, await stranger.get(file, { 'if-none-match': '*' }), 404)
})

await t.test('the ETag changes with the content and only then', async (t) => {
  const anna = someone()
  const path = filePath(await anna.file(pdf('etag 1')))
  const etag = async () => (await anna.head(path)).headers['etag']
  const before = await etag()
  await anna.patch(`${path}/metadata`, { label: 'x' })
  t.equal(await etag(), before)
  await anna.form(`${path}/content`, [filePart(pdf('etag 2'))], { method: 'PUT' })
  t.not(await etag(), before)
})

await t.test('HEAD is GET without the bytes', async (t) => {
  for (const headers of [{}, { range: 'bytes=5-9' }] as Record<string, string>[]) {
    const [head, get] = [await owner.head(file, headers), await owner.get(file, headers)]
    t.equal(head.bytes.length, 0)
    for (const name of ['content-type', 'etag', 'content-disposition', 'repr-digest']) {
      t.equal(head.headers[name], get.headers[name], name)
    }
  }
  t.equal((await owner.head(file)).headers['content-length'], String(data.length))
})

await t.test('Idempotency-Key: the same request has one effect and one answer', async (t) => {
  const [anna, ben] = [someone(), someone()]
  const sent = pdf('idempotent', 300_000)
  const headers = { 'idempotency-key': 'key-1' }
  const send = (who: typeof anna, body: Buffer, label = 'x') =>
    who.form(uploadPath, [...fields({ label }), filePart(body)], { headers })
  const first = await send(anna, sent)
  hasStatus(t, first, 201)
  const again = await send(anna, sent)
  hasStatus(t, again, 201, 'the repeated request')
  t.strictSame(again.body, first.body)
  t.equal(listOf(await anna.get('/api/files/user')).length, 1)
  isProblem(t, await send(anna, png('other')), 415)
  isProblem(t, await send(anna, pdf('other')), 422, 'idempotency_mismatch')
  isProblem(t, await send(anna, sent, 'y'), 422, 'idempotency_mismatch')
  t.equal(listOf(await anna.get('/api/files/user')).length, 1)
  const others = await send(ben, sent)
  hasStatus(t, others, 201, 'the key of someone else')
  t.not(others.body.file_id, first.body.file_id)
  const plain = await anna.upload(sent)
  isProblem(t, plain, 409, 'duplicate_file')
})

await t.test('Idempotency-Key: a refused request may be tried again', async (t) => {
  const anna = someone()
  const headers = { 'idempotency-key': 'key-2' }
  const wrong = fields({ sha256: sha256(pdf('wrong')) })
  const sent = pdf('tried again')
  const refused = await anna.form(uploadPath, [filePart(sent), ...wrong], { headers })
  isProblem(t, refused, 422, 'digest_mismatch')
  const right = fields({ sha256: sha256(sent) })
  hasStatus(t, await anna.form(uploadPath, [filePart(sent), ...right], { headers }), 201)
})

await t.test('Idempotency-Key: a second request while the first is under way', async (t) => {
  const anna = someone()
  const sent = pdf('in flight', 2_000_000)
  const boundary = 'in-flight'
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\ncontent-type: application/pdf\r\n\r\n`
  const body = Buffer.concat([Buffer.from(head), sent, Buffer.from(`\r\n--${boundary}--\r\n`)])
  const headers = {
    authorization: `Bearer ${anna.token}`,
    'content-type': `multipart/form-data; boundary=${boundary}`,
    'idempotency-key': 'key-3',
    'content-length': String(body.length),
  }
  const before = (await server.blobs()).length
  const first = await openRaw(server.address)
  await first.write(requestHead('POST', uploadPath, headers))
  await first.write(body.subarray(0, 1_000_000))
  await server.sealed.reached(before)
  const request = Buffer.concat([Buffer.from(requestHead('POST', uploadPath, headers)), body])
  const second = await rawCall(server.address, request)
  isProblem(t, second, 409, 'in_progress')
  await first.write(body.subarray(1_000_000))
  const answer = await first.answer()
  hasStatus(t, answer, 201)
  first.destroy()
  const third = await rawCall(server.address, request)
  hasStatus(t, third, 201)
  t.equal(third.body.file_id, idOf(answer))
})

await t.test('Idempotency-Key: one that is not well formed is refused', async (t) => {
  for (const key of ['', ' ', 'k'.repeat(1000)]) {
    const answer = await someone().form(uploadPath, [filePart(pdf('key'))], {
      headers: { 'idempotency-key': key },
    })
    if (key.trim() === '') t.ok([201, 400].includes(answer.status))
    else isProblem(t, answer, 400)
  }
})

await t.test('an early refusal ends the connection, and an honest client hears it', async (t) => {
  const length = 200 << 20
  const headers = {
    'content-type': 'multipart/form-data; boundary=x',
    'content-length': String(length),
  }
  const connection = await openRaw(server.address)
  await connection.write(requestHead('POST', uploadPath, headers))
  await connection.write(Buffer.alloc(64 * 1024))
  const answer = await connection.answer()
  isProblem(t, answer, 401)
  t.equal(answer.headers['connection'], 'close')
  const taken = await connection.closed(5000)
  t.ok(taken < 5000, `closed after ${Math.round(taken)} ms`)
})

await t.test('Expect: 100-continue gets the final status at once', async (t) => {
  const headers = {
    'content-type': 'multipart/form-data; boundary=x',
    'content-length': '1000000',
    expect: '100-continue',
  }
  const connection = await openRaw(server.address)
  await connection.write(requestHead('POST', uploadPath, headers))
  const answer = await connection.answer(3000)
  isProblem(t, answer, 401)
  t.notMatch(connection.received().toString('latin1'), '100 Continue')
  connection.destroy()
})

await t.test('Expect: 100-continue is answered where the body is wanted', async (t) => {
  const anna = someone()
  const sent = pdf('continued')
  const head = `--x\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\ncontent-type: application/pdf\r\n\r\n`
  const body = Buffer.concat([Buffer.from(head), sent, Buffer.from('\r\n--x--\r\n')])
  const connection = await openRaw(server.address)
  await connection.write(
    requestHead('POST', uploadPath, {
      authorization: `Bearer ${anna.token}`,
      'content-type': 'multipart/form-data; boundary=x',
      'content-length': String(body.length),
      expect: '100-continue',
    }),
  )
  await connection.until((received) => received.includes('100 Continue'), 3000)
  await connection.write(body)
  hasStatus(t, await connection.answer(), 201)
  connection.destroy()
})

await t.test('a request that is no HTTP is refused in good order', async (t) => {
  const requests = [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'a'.repeat(40_000)} HTTP/1.1\r\n\r\n`,
  ]
  for (const request of requests) {
    const answer = await rawCall(server.address, request)
    t.ok([400, 414, 431].includes(answer.status), String(answer.status))
  }
  const both = requestHead('POST', uploadPath, {
    'content-length': '5',
    'transfer-encoding': 'chunked',
  })
  t.equal((await rawCall(server.address, `${both}0\r\n\r\n`)).status, 400)
  hasStatus(t, await owner.get('/api/files/user'), 200)
})
