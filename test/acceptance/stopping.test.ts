import t from 'tap'
import { hasBytes, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { listOf } from './support/http.js'
import { filePart, multipart } from './support/multipart.js'
import { filePath, idOf, personOf, uploadPath } from './support/people.js'
import { countRows } from './support/postgres.js'
import { openRaw, requestHead } from './support/raw.js'
import { openReader } from './support/reader.js'
import { startServer } from './support/server.js'

// SIGTERM: what is under way may finish within SHUTDOWN_SECONDS and is broken off then, nothing new
// begins, and nothing idle is waited for.

const server = await startServer({ SHUTDOWN_SECONDS: '30' })
t.teardown(() => server.close())
const anna = personOf(server, 'anna')

// More than the socket buffers on both sides take, so that the service cannot have sent it all.
const large = pdf('large', 32 * 1024 * 1024)
const largePath = filePath(await anna.file(large))

/** An upload of which some has reached the store; `finish` sends the rest. */
async function openUpload(data: Buffer) {
  const before = (await server.blobs()).length
  const form = multipart([filePart(data)])
  const half = form.body.length >> 1
  const connection = await openRaw(server.address)
  const headers = {
    ...form.headers,
    authorization: `Bearer ${anna.token}`,
    'content-length': String(form.body.length),
  }
  await connection.write(requestHead('POST', uploadPath, headers))
  await connection.write(form.body.subarray(0, half))
  await server.sealed.reached(before)
  return { ...connection, finish: () => connection.write(form.body.subarray(half)) }
}

const liveHead = requestHead('GET', '/health/live', {})

/** A connection whose first request is answered, and then `more` was sent on it. */
async function openKept(more = '') {
  const connection = await openRaw(server.address)
  // In one write: when the answer has come, the service has read what stands behind it too.
  await connection.write(liveHead + more)
  const { status } = await connection.answer()
  if (status !== 200) throw new Error(`Answered ${status}`)
  return connection
}

/** SIGTERM; resolves when the service says that it is stopping, to its exit code still to come. */
async function beginStop(): Promise<{ code: Promise<number | null> }> {
  const before = server.logs().length
  const code = server.stop()
  code.catch(() => undefined)
  await eventually('the stop', () => server.logs().slice(before).includes('"stopping'))
  return { code }
}

await t.test('what is under way finishes, what is idle is not waited for', async (t) => {
  const data = pdf('slow', 700_000)
  const upload = await openUpload(data)
  const reading = await openReader(server.address, anna, largePath)
  await reading.read(1024)
  const idle = await openKept()
  const unused = await openRaw(server.address)
  const late = await openKept(liveHead.slice(0, 20))

  const { code } = await beginStop()
  t.ok((await idle.closed()) < 5000, 'an idle connection is let go of')
  t.ok((await unused.closed()) < 5000, 'and one on which nothing was ever sent')
  await t.rejects(openRaw(server.address), { code: 'ECONNREFUSED' }, 'there are no new ones')

  const answered = late.received().length
  await late.write(liveHead.slice(20))
  await late.closed()
  const [head = '', body = ''] = late.received().toString('utf8', answered).split('\r\n\r\n')
  t.match(head, /^HTTP\/1.1 503 /)
  t.match(head, /^retry-after: [1-9]/im)
  t.match(head, /^connection: close/im)
  t.match(head, /^content-type: application\/problem\+json/im)
  t.match(JSON.parse(body), { status: 503, code: 'shutting_down' })

  await upload.finish()
  const uploaded = await upload.answer()
  t.ok((await reading.drain()).equals(large), 'the download is whole')
  const start = performance.now()
  t.equal(await code, 0, 'exit code')
  t.ok(performance.now() - start < 5000, 'it ends soon after the last transfer')

  await server.start({ SHUTDOWN_SECONDS: '1' })
  hasBytes(t, await anna.get(filePath(idOf(uploaded))), data)
})

async function rows(): Promise<unknown> {
  if (server.database === undefined) return undefined
  const counts = Object.entries(await countRows(server.database))
  return counts.filter(([table]) => !/audit|event|job|throttle|node/.test(table))
}

await t.test('what takes longer is broken off, and nothing of it is left', async (t) => {
  const [blobs, files, before] = [
    await server.blobs(),
    await anna.get('/api/files/user'),
    await rows(),
  ]
  const uploads = []
  for (let turn = 0; turn < 5; turn++) uploads.push(await openUpload(pdf(`cut ${turn}`, 900_000)))
  const reading = await openReader(server.address, anna, largePath)
  await reading.read(1024)

  const start = performance.now()
  t.equal(await server.stop(), 0, 'exit code')
  const took = performance.now() - start
  t.ok(took > 950 && took < 8000, `after ${Math.round(took)} ms`)
  for (const upload of uploads) {
    await upload.closed()
    t.notMatch(upload.received().toString('latin1'), /^HTTP\/1.1 2/)
  }
  t.ok((await reading.drain()).length < large.length, 'the download is cut')
  t.same(await server.blobs(), blobs, 'on disk')
  t.same(await rows(), before, 'in tables')

  await server.start()
  t.same(listOf(await anna.get('/api/files/user')), listOf(files), 'in lists')
  hasBytes(t, await anna.get(largePath), large)
  const events = listOf(await anna.get(`${largePath}/access-log`))
  const cut = { action: 'file.read_broken_off', outcome: 'failed', reason: 'shutting_down' }
  t.match(
    events.filter(({ action }) => action === cut.action),
    [cut],
    'on record',
  )
})

await t.test('the second signal ends it at once', async (t) => {
  const files = listOf(await anna.get('/api/files/user'))
  const upload = await openUpload(pdf('killed', 700_000))
  const { code } = await beginStop()
  const start = performance.now()
  t.equal(await server.stop(), 1, 'exit code')
  t.equal(await code, 1)
  t.ok(performance.now() - start < 3000, 'at once')
  await upload.closed()

  await server.start()
  t.same(listOf(await anna.get('/api/files/user')), files, 'what was stored is there')
  isProblem(t, await anna.get(filePath('00000000-0000-4000-8000-000000000000')), 404)
})
