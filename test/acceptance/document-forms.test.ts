import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { digestField, pdf } from './support/content.js'
import { fields, filePart, multipart, type Part } from './support/multipart.js'
import { personOf } from './support/people.js'
import { openRaw, requestHead } from './support/raw.js'
import { startServer } from './support/server.js'

// Documents sent as clients of S3 send them: a form by POST to the URL. API.md, C and D.

const server = await startServer({ LOG_LEVEL: 'trace' })
t.teardown(() => server.close())

const bert = personOf(server, 'bert', { role: 'patient' })
const type = 'application/pdf'

interface Place {
  readonly id: string
  readonly key: string
  readonly url: string
}

async function placeOf(body: object = {}): Promise<Place> {
  const asked = { filename: 'scan.pdf', contentType: type, ...body }
  const answer = await bert.post('/api/docs/presign-upload', asked)
  return JSON.parse(answer.text) as Place
}

/** A client without a token. */
function post(url: string, parts: readonly Part[]) {
  const { headers, body } = multipart(parts)
  return server.call(new URL(url).pathname, { method: 'POST', headers, body })
}

const confirm = ({ key }: Place, data: Buffer) =>
  bert.post('/api/docs/confirm', { key, contentType: type, size: data.length })

async function opened({ id }: Place) {
  const answer = await bert.get(`/api/docs/${id}/download`)
  const { url } = JSON.parse(answer.text) as { url: string }
  return await server.call(new URL(url).pathname)
}

await t.test('with all fields a client of S3 sends', async (t) => {
  const data = pdf('by a form', 200_000)
  const place = await placeOf({ size: data.length })
  const form = fields({
    ...{ key: place.key, 'Content-Type': type, policy: 'eyJ9', 'x-amz-algorithm': 'AWS4' },
    'x-amz-signature': 'f'.repeat(64),
  })
  const answer = await post(place.url, [...form, filePart(data, { type: 'text/plain' })])
  hasStatus(t, answer, 204, 'as S3 answers where nothing else is asked for')
  t.equal(answer.text, '')
  hasStatus(t, await confirm(place, data), 201)
  hasBytes(t, await opened(place), data)
  isProblem(t, await post(place.url, [filePart(data)]), 410, 'ticket_over')
})

await t.test('the answer that is asked for', async (t) => {
  for (const [wish, status] of [
    ['201', 201],
    ['200', 200],
    ['302', 204],
  ] as const) {
    const place = await placeOf()
    const form = fields({ Success_Action_Status: wish, success_action_redirect: 'http://x.test' })
    const answer = await post(place.url, [...form, filePart(pdf(wish))])
    hasStatus(t, answer, status)
    t.notOk(answer.headers['location'], 'nobody is sent elsewhere')
    if (status === 204) continue
    t.strictSame(JSON.parse(answer.text), {
      ...{ id: place.id, key: place.key, upload_status: 'uploading' },
    })
  }
})

await t.test('what is not as it was asked for is not kept', async (t) => {
  const data = pdf('asked for', 5_000)
  const before = (await server.blobs()).length
  const place = await placeOf({ size: data.length })
  const other = { 'content-digest': digestField(pdf('other')) }
  for (const [what, parts, status, code] of [
    ['no file', fields({ key: place.key }), 400, 'file_missing'],
    ['another part', [{ ...filePart(data), name: 'document' }], 400, 'file_missing'],
    ['another key', [...fields({ key: 'uploads/x' }), filePart(data)], 422, 'content_mismatch'],
    ['another type', [...fields({ 'content-type': 'image/png' }), filePart(data)], 422, undefined],
    ['no type', [filePart(data, { type: '' })], 422, 'content_mismatch'],
    ['another length', [filePart(data.subarray(0, -1))], 422, 'content_mismatch'],
    ['too long', [filePart(Buffer.concat([data, data]))], 413, 'file_too_large'],
    ['another digest', [filePart(data, { headers: other })], 422, 'digest_mismatch'],
    ['two files', [filePart(data), filePart(data)], 400, 'too_many_parts'],
    [
      'a field twice',
      [...fields({ key: place.key }), ...fields({ KEY: place.key }), filePart(data)],
      ...([400, 'invalid_field'] as const),
    ],
  ] as const) {
    isProblem(t, await post(place.url, parts), status, code)
    t.equal((await server.blobs()).length, before, `${what}: nothing is kept`)
  }
  const late = [filePart(data), ...fields({ key: 'after the file' })]
  hasStatus(t, await post(place.url, late), 204, 'a failed try does not spend it')
})

await t.test('a form that is cut off is not taken', async (t) => {
  const data = pdf('cut off', 5_000)
  const before = (await server.blobs()).length
  const place = await placeOf()
  const { headers, body } = multipart([filePart(data), ...fields({ after: 'x'.repeat(1_000) })])
  const path = new URL(place.url).pathname
  const raw = await openRaw(server.address)
  const length = { 'content-length': String(body.length) }
  await raw.write(requestHead('POST', path, { ...headers, ...length }))
  await raw.write(body.subarray(0, body.length - 500))
  raw.socket.end()
  await raw.closed()
  t.equal((await server.blobs()).length, before)
  hasStatus(t, await post(place.url, [filePart(data)]), 204)
})

await t.test('addresses and bodies that are none', async (t) => {
  const data = pdf('no form')
  const place = await placeOf()
  const { pathname } = new URL(place.url)
  isProblem(t, await post(`${server.origin}/t/x`, [filePart(data)]), 404, 'not_found')
  const headers = { 'content-type': type }
  const body = await server.call(pathname, { method: 'POST', headers, body: data })
  isProblem(t, body, 415, 'unsupported_media_type')
  hasStatus(t, await post(place.url, [filePart(data)]), 204)
})

await t.test('neither URL nor signature is in the log', (t) => {
  t.notMatch(server.logs(), /\/t\/[\w-]{20,}\.[\w-]{20,}/)
  t.end()
})
