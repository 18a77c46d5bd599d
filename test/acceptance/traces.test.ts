import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { otlpReceiver } from '../helpers/otlp-receiver.js'
import { hasStatus } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { filePath, idOf, personOf, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// What a collector of traces gets (OTLP over HTTP), whose trace goes on, and what is never in it.

interface Heard {
  readonly path: string
  readonly headers: IncomingHttpHeaders
}

/** Somebody the service asks or tells: the portal, a receiver of webhooks. */
async function listener() {
  const heard: Heard[] = []
  const server = createServer((request, response) => {
    heard.push({ path: request.url ?? '', headers: request.headers })
    request.resume().on('end', () => response.end('{"assigned": true}'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${address.port}`, heard }
}

const traceIdOf = (traceparent: unknown) => /^00-([0-9a-f]{32})-/.exec(String(traceparent))?.[1]

const collector = await otlpReceiver()
t.teardown(() => collector.close())
const portal = await listener()
const hooks = await listener()
const server = await startServer({
  OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/otlp/`,
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20of-the-collector,x-tenant=records',
  OTEL_SERVICE_NAME: 'records-store',
  OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=trial',
  ASSIGNMENTS_URL: `${portal.url}/check`,
  DATABASE_SERVICE_TOKEN: 'portal-token-0123456789',
  WEBHOOK_URL: `${hooks.url}/hook`,
  WEBHOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
  LOG_LEVEL: 'warn',
  ALERT_EVERY_SECONDS: '1',
})
t.teardown(() => server.close())
const anna = personOf(server, 'anna.katharina.7Q')
const doctor = personOf(server, 'doctor.meier.8R', { role: 'clinician' })
const admin = personOf(server, 'admin.of.all.9Z', { role: 'admin' })

const spansOf = (traceId: string) => collector.spans().filter((span) => span.traceId === traceId)

/** Headers of a caller whose trace is kept, or not. */
function calledFrom(isKept = true) {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  const traceparent = `00-${traceId}-${spanId}-0${isKept ? 1 : 0}`
  return { traceId, spanId, headers: { traceparent, tracestate: 'portal=Katharina' } }
}

await t.test('a request is a span of the caller’s trace, with what it did', async (t) => {
  const { traceId, spanId, headers } = calledFrom()
  const data = pdf('traced', 400_000)
  const id = await anna.file(pdf('before'))
  const answer = await anna.get(filePath(id), headers)
  hasStatus(t, answer, 200)
  const upload = calledFrom()
  const sent = await anna.call('/api/files/upload', {
    method: 'POST',
    headers: { ...upload.headers, 'content-type': 'multipart/form-data; boundary=b' },
    body: Buffer.concat([
      Buffer.from(
        '--b\r\ncontent-disposition: form-data; name="file"; filename="Befund Meier.pdf"\r\n' +
          'content-type: application/pdf\r\n\r\n',
      ),
      data,
      Buffer.from('\r\n--b--\r\n'),
    ]),
  })
  idOf(sent)
  await eventually(
    'both are told',
    () =>
      [traceId, upload.traceId].every((trace) =>
        spansOf(trace).some(({ name }) => name.includes('/api/files')),
      ),
    20_000,
  )
  const reading = spansOf(traceId)
  const root = reading.find(({ name }) => name === 'GET /api/files/:file_id')
  t.match(root, {
    parentSpanId: spanId,
    status: 0,
    attributes: {
      'http.request.method': 'GET',
      'http.route': '/api/files/:file_id',
      'http.response.status_code': 200,
      'strongroom.request_id': answer.headers['x-request-id'],
    },
    resource: {
      'service.name': 'records-store',
      'service.version': String,
      'deployment.environment.name': 'trial',
    },
  })
  const others = reading.filter((span) => span !== root)
  t.ok(others.length > 3)
  for (const span of others) t.equal(span.parentSpanId, root?.spanId, span.name)
  const namesIn = (spans: readonly { name: string }[]) => spans.map(({ name }) => name)
  t.ok(namesIn(reading).includes('database transaction'))
  t.ok(namesIn(reading).includes('storage open'))
  t.ok(namesIn(spansOf(upload.traceId)).includes('storage put'))
  t.ok(namesIn(spansOf(upload.traceId)).some((name) => name.startsWith('database files-')))
})

await t.test('the portal and receivers of webhooks can go on with it', async (t) => {
  const type = await recordType(admin)
  const { traceId, headers } = calledFrom()
  const data = pdf('record')
  const record = { patient_id: anna.id, medical_record_type_id: type }
  const uploaded = await doctor.uploadRecord(data, record)
  hasStatus(t, uploaded, 201)
  portal.heard.length = 0
  const list = `/api/files/medical-records?patient_id=${personOf(server, 'another.patient').id}`
  await doctor.get(list, headers)
  t.ok(portal.heard.length >= 1, 'the portal was asked')
  t.equal(traceIdOf(portal.heard[0]?.headers['traceparent']), traceId)
  t.equal(portal.heard[0]?.headers['tracestate'], undefined, 'not what the caller wrote beside it')
  await eventually('a webhook came', () => hooks.heard.length > 0)
  t.ok(traceIdOf(hooks.heard[0]?.headers['traceparent']))
  await eventually(
    'both calls are told',
    () =>
      ['call assignments', 'call webhook'].every((name) =>
        collector.spans().some((span) => span.name === name),
      ),
    20_000,
  )
})

await t.test('a fault of ours is an error, without a word of it; a refusal is none', async (t) => {
  const { traceId, headers } = calledFrom()
  hasStatus(t, await anna.get(filePath('5d4c3b2a-0000-4000-8000-000000000000'), headers), 404)
  await eventually(
    'it is told',
    () => spansOf(traceId).some(({ parentSpanId }) => parentSpanId),
    20_000,
  )
  const root = spansOf(traceId).find(({ name }) => name === 'GET /api/files/:file_id')
  t.match(root, { status: 0, attributes: { 'http.response.status_code': 404 } })
})

await t.test('a trace that the caller does not keep is not kept here', async (t) => {
  const [not, kept] = [calledFrom(false), calledFrom()]
  await anna.get('/api/files', not.headers)
  await anna.get('/api/files', kept.headers)
  await eventually('the other one is told', () => spansOf(kept.traceId).length > 0, 20_000)
  t.same(spansOf(not.traceId), [])
})

await t.test('jobs are traces of their own, but for the one that never ends', async (t) => {
  await eventually(
    'a job is told',
    () => collector.spans().some(({ name }) => name.startsWith('job ')),
    20_000,
  )
  t.notOk(collector.spans().some(({ name }) => name === 'job deliver-outbox'))
})

await t.test('it is sent where and as it was said', (t) => {
  for (const { path, headers } of collector.exports) {
    t.equal(path, '/otlp/v1/traces')
    t.equal(headers['content-type'], 'application/x-protobuf')
    t.equal(headers.authorization, 'Bearer of-the-collector')
    t.equal(headers['x-tenant'], 'records')
  }
  t.end()
})

await t.test('nobody, and nothing of theirs, is named', (t) => {
  const all = Buffer.concat(collector.exports.map(({ body }) => body)).toString('latin1')
  t.ok(all.includes('/api/files/:file_id'))
  const people = [anna.id, doctor.id, admin.id, 'another.patient', 'Katharina', 'Meier']
  const secrets = [server.secret, anna.token, 'of-the-collector', 'portal-token', '127.0.0.1']
  for (const word of [...people, ...secrets, server.dataDir, '?patient_id']) {
    t.notOk(all.includes(word), word)
  }
  t.end()
})

await t.test('a collector that is away costs nothing but the spans', async (t) => {
  await server.stop()
  await server.start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' })
  for (let n = 0; n < 5; n++) hasStatus(t, await anna.upload(pdf(`away ${n}`)), 201)
  await eventually('the log says so', () => server.logs().includes('takes no traces'), 30_000)
  hasStatus(t, await anna.get('/health/ready'), 200)
  const start = performance.now()
  t.equal(await server.stop(), 0)
  t.ok(performance.now() - start < 10_000, 'and the stop does not wait for it')
})

await t.test('what cannot be done is said at start', async (t) => {
  const check = (settings: Readonly<Record<string, string>>) =>
    server.beginCommand(['config', 'check'], settings).result
  const wrong = await check({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })
  t.equal(wrong.code, 1)
  t.match(wrong.out + wrong.err, /OTEL_EXPORTER_OTLP_PROTOCOL: expected one of http\/protobuf/)
})

/** Which of OpenTelemetry's packages a service loads between its start and its end. */
async function loadedBy(settings: Readonly<Record<string, string>>): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-loaded-'))
  try {
    const other = await startServer({ ...settings, NODE_V8_COVERAGE: folder })
    await other.stop()
    await other.close()
    const found = new Set<string>()
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), 'utf8')
      for (const [, each] of text.matchAll(/@opentelemetry\/([\w-]+)\//g)) found.add(each ?? '')
    }
    return [...found].sort()
  } finally {
    await rm(folder, { recursive: true })
  }
}

await t.test('without a collector nothing of it is loaded', async (t) => {
  const unset = await loadedBy({})
  t.same(
    unset.filter((name) => name !== 'api'),
    [],
    'nor more than what the metrics bring',
  )
  const disabled = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: 'true' }
  t.same(await loadedBy(disabled), unset)
  const set = await loadedBy({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  t.ok(set.includes('sdk-trace'))
})
