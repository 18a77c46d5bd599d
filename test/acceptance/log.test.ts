import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { filePath, idOf, personOf, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// What an operator sees: a line for each request, sealing, opening, outbound call and storage error.

const portal = createServer((_request, response) => response.end('{"assigned": true}'))
portal.listen(0, '127.0.0.1')
await once(portal, 'listening')
t.teardown(() => portal.close())
const address = portal.address()
if (address === null || typeof address === 'string') throw new Error('No port')
const server = await startServer({
  ASSIGNMENTS_URL: `http://127.0.0.1:${address.port}/check`,
  DATABASE_SERVICE_TOKEN: 'portal-token-0123456789',
})
t.teardown(() => server.close())
const anna = personOf(server, 'anna')
const admin = personOf(server, 'admin', { role: 'admin' })
const doctor = personOf(server, 'doctor', { role: 'clinician' })

type Line = Readonly<Record<string, unknown>>

/** The lines of one message that name this request. */
function linesOf(msg: string, requestId?: string): Line[] {
  return server
    .logs()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line['msg'] === msg)
    .filter((line) => requestId === undefined || line['request_id'] === requestId)
}

/** The one line of this message, once it is there, without what every line has. */
async function lineOf(msg: string, requestId?: string): Promise<Line> {
  await eventually(`a line "${msg}"`, () => Promise.resolve(linesOf(msg, requestId).length > 0))
  const [line = {}, ...more] = linesOf(msg, requestId)
  if (more.length > 0) throw new Error(`More than one line "${msg}"`)
  const common = ['time', 'service', 'msg']
  return Object.fromEntries(Object.entries(line).filter(([name]) => !common.includes(name)))
}

const requestIdOf = (headers: Readonly<Record<string, string | undefined>>) =>
  headers['x-request-id'] ?? 'none'

await t.test('a sealing and an opening, by ids', async (t) => {
  const data = pdf('in the log', 400_000)
  const uploaded = await anna.upload(data)
  const fileId = idOf(uploaded)
  const sealed = await lineOf('sealed', requestIdOf(uploaded.headers))
  t.match(sealed, { level: 'info', user_id: anna.id, bytes: data.length, ms: Number })
  t.ok(Number(sealed['sealed_bytes']) > data.length)
  t.same(
    Object.keys(sealed).sort(),
    ['bytes', 'level', 'ms', 'request_id', 'sealed_bytes', 'sealed_id', 'user_id'],
    'nothing else',
  )
  const [blob = ''] = await server.blobs()
  t.ok(blob.endsWith(String(sealed['sealed_id'])), 'the id the bytes have in the store')

  const answer = await anna.get(filePath(fileId), { range: 'bytes=0-99' })
  hasStatus(t, answer, 206)
  const opened = await lineOf('opened', requestIdOf(answer.headers))
  const { sealed_id } = sealed
  t.match(opened, { level: 'info', file_id: fileId, version: 1, sealed_id, bytes: 100 })
  t.match(opened, { whole_range: true, user_id: anna.id })
  const request = await lineOf('request', requestIdOf(answer.headers))
  t.match(request, { method: 'GET', route: '/api/files/:file_id', status: 206, user_id: anna.id })
})

await t.test('a question to the portal', async (t) => {
  const record = { patient_id: anna.id, medical_record_type_id: await recordType(admin) }
  const uploaded = await doctor.uploadRecord(pdf('asked'), record)
  hasStatus(t, uploaded, 201)
  t.match(await lineOf('outbound call'), {
    target: 'assignments',
    status: 200,
    ms: Number,
    request_id: requestIdOf(uploaded.headers),
    user_id: doctor.id,
  })
})

await t.test('a store that does not do its work', async (t) => {
  const { errno, mend } = await server.sealed.breakDown()
  const refused = await anna.upload(pdf('no place'))
  isProblem(t, refused, 503, 'storage_unavailable')
  t.match(await lineOf('storage error'), {
    level: 'error',
    operation: 'put',
    errno,
    request_id: requestIdOf(refused.headers),
    user_id: anna.id,
  })
  await mend()
  hasStatus(t, await anna.upload(pdf('a place again')), 201)
})
