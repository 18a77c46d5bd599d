import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { filePath, personOf, recordType } from './support/people.js'
import { type Scraped, scrape } from './support/scrape.js'
import { startServer } from './support/server.js'

// What Prometheus sees: who may ask, what is counted, and what is never in it.

const metricsToken = 'metrics-token-0123456789'
const elsewhere = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'http' }
const server = await startServer({
  METRICS_TOKEN: metricsToken,
  MAX_CONCURRENT_UPLOADS: '1',
  MAX_FILE_SIZE_MB: '1',
})
t.teardown(() => server.close())
const anna = personOf(server, 'anna.katharina.7Q')
const admin = personOf(server, 'admin.of.all.9Z', { role: 'admin' })

/** How much more there is of something than before. */
async function more(before: Scraped, name: string, labels: Readonly<Record<string, string>> = {}) {
  const after = await scrape(server)
  return (after.sum(name, labels) ?? 0) - (before.sum(name, labels) ?? 0)
}

await t.test('operators alone may ask', async (t) => {
  const local = await server.call('/metrics')
  hasStatus(t, local, 200)
  t.match(local.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const from = (headers: Readonly<Record<string, string>>, token?: string) =>
    server.call('/metrics', { headers: { ...elsewhere, ...headers }, token })
  isProblem(t, await from({}), 401, 'unauthenticated')
  isProblem(t, await from({}, 'metrics-token-0123456780'), 401, 'unauthenticated')
  isProblem(t, await from({}, anna.token), 401, 'unauthenticated')
  hasStatus(t, await from({}, metricsToken), 200)
  isProblem(t, await from({ forwarded: 'for=203.0.113.7' }), 401, 'unauthenticated')
})

await t.test(
  'no rule of hosts, HTTPS or rates is for it; without a token it is not there',
  async (t) => {
    const strict = await startServer({
      ...{ ALLOWED_HOSTS: 'files.example', REQUIRE_HTTPS: 'true', TRUST_PROXY: '1' },
      ...{ RATE_LIMIT_PER_PERSON: '1', RATE_LIMIT_PER_ADDRESS: '1' },
    })
    t.teardown(() => strict.close())
    for (let n = 0; n < 4; n++) {
      hasStatus(t, await strict.call('/metrics', { headers: { host: 'elsewhere.example' } }), 200)
      isProblem(t, await strict.call('/metrics', { headers: elsewhere }), 404, 'not_found')
    }
  },
)

await t.test('an upload, a download and a refusal, each counted once', async (t) => {
  const before = await scrape(server)
  const data = pdf('measured', 400_000)
  const id = await anna.file(data)
  hasStatus(t, await anna.get(filePath(id)), 200)
  hasStatus(t, await anna.get(filePath(id), { range: 'bytes=0-99' }), 206)
  isProblem(t, await anna.get(filePath('5d4c3b2a-0000-4000-8000-000000000000')), 404, 'not_found')
  isProblem(t, await anna.upload(pdf('too large', 1_100_000)), 413, 'file_too_large')
  hasStatus(t, await server.call('/not/here?user=anna.katharina.7Q'), 404)
  await eventually('the last requests are counted', async () => {
    const route = { route: 'unmatched', method: 'GET', status: '404' }
    return (await more(before, 'strongroom_http_requests_total', route)) === 1
  })
  const requests = (labels: Readonly<Record<string, string>>) =>
    more(before, 'strongroom_http_requests_total', labels)
  t.equal(await requests({ method: 'POST', route: '/api/files/upload', status: '201' }), 1)
  t.equal(await requests({ method: 'POST', route: '/api/files/upload', status: '413' }), 1)
  const route = '/api/files/:file_id'
  t.equal(await requests({ method: 'GET', route, status: '200' }), 1)
  t.equal(await requests({ method: 'GET', route, status: '206' }), 1)
  t.equal(await requests({ method: 'GET', route, status: '404' }), 1)
  t.equal(await more(before, 'strongroom_http_request_duration_seconds_count', { route }), 3)
  t.equal(await more(before, 'strongroom_refusals_total', { code: 'file_too_large' }), 1)
  t.equal(await more(before, 'strongroom_refusals_total', { code: 'not_found' }), 2)
  t.equal(await more(before, 'strongroom_sealed_files_total'), 1)
  t.equal(await more(before, 'strongroom_sealed_bytes_total'), data.length)
  t.equal(await more(before, 'strongroom_opened_bytes_total'), data.length + 100)
  t.ok((await more(before, 'strongroom_seal_seconds_total')) > 0)
  t.ok((await more(before, 'strongroom_open_seconds_total')) > 0)
  const storage = (operation: string) =>
    more(before, 'strongroom_storage_calls_total', { operation, outcome: 'ok' })
  t.equal(await storage('put'), 1)
  t.equal(await storage('open'), 2)
  t.ok((await storage('read')) >= 2)
  const received = await more(before, 'strongroom_http_received_bytes_total')
  t.ok(received > data.length && received < data.length * 5, `${received} bytes came in`)
  const sent = await more(before, 'strongroom_http_sent_bytes_total')
  t.ok(sent > data.length, `${sent} bytes went out`)
  const keys = { operation: 'wrap', outcome: 'ok' }
  t.equal(await more(before, 'strongroom_key_provider_calls_total', keys), 1)
  t.equal(await more(before, 'strongroom_key_cache_lookups_total', { result: 'miss' }), 1)
  t.ok((await more(before, 'strongroom_key_cache_lookups_total', { result: 'hit' })) >= 2)
})

await t.test('an upload under way, and one for which there is no slot', async (t) => {
  const before = await scrape(server)
  const socket = connect(server.address.port, server.address.host)
  await once(socket, 'connect')
  t.teardown(() => socket.destroy())
  const part =
    '--b\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7\n'
  socket.write(
    `POST /api/files/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${anna.token}\r\n` +
      `content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n${part}`,
  )
  await eventually(
    'the slot is taken',
    async () => (await scrape(server)).sum('strongroom_upload_slots_in_use') === 1,
  )
  const during = await scrape(server)
  t.equal(during.sum('strongroom_upload_slots_limit'), 1)
  t.equal(during.sum('strongroom_http_requests_in_flight'), 2, 'it, and the one that asks')
  isProblem(t, await anna.upload(pdf('no slot')), 503, 'too_many_uploads')
  t.equal(await more(before, 'strongroom_upload_slots_refused_total'), 1)
  t.equal(await more(before, 'strongroom_refusals_total', { code: 'too_many_uploads' }), 1)
  socket.destroy()
  await eventually(
    'the slot is free',
    async () => (await scrape(server)).sum('strongroom_upload_slots_in_use') === 0,
  )
  t.equal(await more(before, 'strongroom_http_broken_off_total', { method: 'POST' }), 1)
})

await t.test('the state of the service', async (t) => {
  const { sum } = await scrape(server)
  for (const component of ['database', 'storage', 'keys']) {
    t.equal(sum('strongroom_ready', { component }), 1, component)
  }
  t.equal(sum('strongroom_jobs_due', { kind: 'sweep' }), 0)
  t.equal(sum('strongroom_outbox_pending', { destination: 'webhook' }), 0)
  t.ok((sum('strongroom_disk_free_bytes', { folder: 'files' }) ?? 0) > 1_000_000)
  t.ok((sum('strongroom_audit_lag_seconds') ?? -1) >= 0)
  t.ok((sum('strongroom_database_pool_limit') ?? 0) >= 1)
  t.ok((sum('nodejs_eventloop_lag_p99_seconds') ?? 0) > 0)
  t.equal(sum('strongroom_build_info'), 1)
  t.equal(sum('strongroom_scrape_errors_total'), 0)
})

await t.test('nothing in it tells of a person, a file or a secret', async (t) => {
  const name = 'Befund Katharina Meier.pdf'
  const data = pdf('private', 3_000)
  const label = 'glioblastoma'
  const uploaded = await anna.upload(data, { filename: name }, [{ name: 'label', data: label }])
  hasStatus(t, uploaded, 201)
  const id = uploaded.body.file_id ?? 'none'
  await anna.get(`${filePath(id)}?email=katharina@example.org`)
  await anna.get('/api/files/Katharina/Meier')
  const type = await recordType(admin, { name: 'Psychiatry' })
  await anna.uploadRecord(data, { patient_id: anna.id, medical_record_type_id: type })
  const { text } = await scrape(server)
  const secrets = [anna.id, admin.id, name, 'Katharina', label, 'Psychiatry', type, id]
  const more = [server.secret, metricsToken, anna.token, 'example.org', server.dataDir, '127.0.0.1']
  for (const word of [...secrets, ...more]) t.notOk(text.includes(word), word)
  t.notMatch(text, /[0-9a-f]{8}-[0-9a-f]{4}-/, 'no id of any kind')
})

const { database } = server
if (database !== undefined) {
  await t.test('with the database away it answers, soon, without what is there', async (t) => {
    const line = await cutLine(database.url)
    t.teardown(() => line.close())
    await server.stop()
    await server.start({ DATABASE_URL: line.url })
    t.equal((await scrape(server)).sum('strongroom_ready', { component: 'database' }), 1)
    line.cut()
    await wait(6_000)
    const start = performance.now()
    const { sum } = await scrape(server)
    t.ok(performance.now() - start < 4_000, 'soon')
    t.equal(sum('strongroom_jobs_due'), undefined)
    t.equal(sum('strongroom_jobs_oldest_due_seconds'), undefined)
    t.equal(sum('strongroom_outbox_pending'), undefined)
    t.ok((sum('strongroom_scrape_errors_total', { source: 'jobs' }) ?? 0) >= 1)
    t.equal(sum('strongroom_ready', { component: 'database' }), 0)
    t.equal(sum('strongroom_ready', { component: 'storage' }), 1)
    t.ok((sum('strongroom_disk_free_bytes') ?? 0) > 0)
    hasStatus(t, await anna.get(filePath('5d4c3b2a-0000-4000-8000-000000000000')), 503)
    const away = { outcome: 'unavailable' }
    t.ok(((await scrape(server)).sum('strongroom_database_calls_total', away) ?? 0) >= 1)
    line.mend()
    await eventually('it is back', async () => {
      return (await scrape(server)).sum('strongroom_jobs_oldest_due_seconds') !== undefined
    })
  })
}

/** A line to the database that can be cut. */
async function cutLine(url: string) {
  const place = new URL(url)
  const open = new Set<Socket>()
  let isCut = false
  const proxy = createServer((socket) => {
    if (isCut) {
      socket.destroy()
      return
    }
    const other = connect(Number(place.port), place.hostname)
    for (const each of [socket, other]) {
      open.add(each)
      each.on('error', () => undefined).on('close', () => open.delete(each))
    }
    socket.pipe(other).pipe(socket)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('No port')
  const through = new URL(url)
  through.host = `127.0.0.1:${address.port}`
  const cut = () => {
    isCut = true
    for (const each of open) each.destroy()
  }
  return {
    url: through.href,
    cut,
    mend: () => {
      isCut = false
    },
    close: async () => {
      cut()
      proxy.close()
      await once(proxy, 'close')
    },
  }
}
