import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { type Answer, listOf } from '../acceptance/support/http.js'
import { filePart, multipart } from '../acceptance/support/multipart.js'
import {
  assign,
  filePath,
  personOf,
  recordPath,
  recordType,
  uploadPath,
} from '../acceptance/support/people.js'
import { openReader } from '../acceptance/support/reader.js'
import { startServer } from '../acceptance/support/server.js'
import { claimsOf, mintToken } from '../acceptance/support/tokens.js'
import { type Outage, otherOutages } from '../helpers/outages.js'
import { startRedis } from '../helpers/redis-server.js'
import { ownCluster } from './support/own-cluster.js'
import { smallDisk } from './support/small-disk.js'

// The built service while its disk, PostgreSQL, Redis or clock does not do its work: what callers are told, call
// by call (test/helpers/outages.ts), and that all is well afterwards, without a restart. A true mount, so root or
// sudo; the clock is libfaketime's.

const MIB = 1024 * 1024
/** Where Debian puts a library, by processor. */
const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
const faketime = `/usr/lib/${triplet}/faketime/libfaketimeMT.so.1`
const folder = await mkdtemp(join(tmpdir(), 'strongroom-outages-'))
const clockFile = join(folder, 'clock')
const setClock = (offset: string) => writeFile(clockFile, `${offset}\n`)
await setClock('+0')
const disk = await smallDisk(256)
const cluster = await ownCluster()
const redis = await startRedis()
const server = await startServer({
  ...{ DATABASE_URL: cluster.url, REDIS_URL: redis.url, DELETE_RETENTION_DAYS: '0' },
  FILE_STORAGE_PATH: join(disk.folder, 'files'),
  ...{ LD_PRELOAD: faketime, FAKETIME_TIMESTAMP_FILE: clockFile },
  ...{ FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
})
t.teardown(async () => {
  await server.close()
  await redis.close()
  await cluster.close()
  await disk.close()
  await rm(folder, { recursive: true })
})

const longLived = { exp: Math.floor(Date.now() / 1_000) + 86_400 }
const anna = personOf(server, 'anna', longLived)
const doctor = personOf(server, 'doctor', { role: 'clinician', ...longLived })
const admin = personOf(server, 'admin', { role: 'admin', ...longLived })
await assign(admin, doctor, anna)
const recordId = await doctor.record(pdf('a record'), {
  patient_id: anna.id,
  medical_record_type_id: await recordType(admin),
})
const [small, large] = [pdf('small', 40_000), pdf('large', 11 * MIB)]
const [smallPath, largePath] = [filePath(await anna.file(small)), filePath(await anna.file(large))]

interface Fault {
  readonly begin: () => Promise<void>
  readonly end: () => Promise<void>
}
const clock = (offset: string): Fault => ({
  begin: () => setClock(offset),
  end: () => setClock('+0'),
})
const stopped = (mode: 'fast' | 'immediate'): Fault => ({
  begin: () => cluster.stop(mode),
  end: () => cluster.start(),
})

const faults = new Map<(typeof otherOutages)[number]['fault'], Fault>([
  ['the disk of sealed files is full', { begin: () => disk.fill(0), end: () => disk.empty() }],
  [
    'the disk of sealed files is read-only',
    { begin: () => disk.readOnly(true), end: () => disk.readOnly(false) },
  ],
  ['PostgreSQL is stopped', stopped('fast')],
  ['PostgreSQL crashes', stopped('immediate')],
  [
    'PostgreSQL only reads',
    {
      begin: async () => {
        await cluster.stop('fast')
        await cluster.put('standby.signal', '')
        await cluster.start()
      },
      end: () => cluster.promote(),
    },
  ],
  ['Redis is stopped', { begin: () => redis.stop(), end: () => redis.start() }],
  [
    'Redis hangs',
    {
      begin: () => {
        redis.hang()
        return Promise.resolve()
      },
      end: () => {
        redis.goOn()
        return Promise.resolve()
      },
    },
  ],
  ['the clock is two hours ahead', clock('+7200')],
  ['the clock is an hour behind', clock('-3600')],
])

const refusals = [
  'storage_unavailable',
  'database_unavailable',
  'commit_unknown',
  'audit_unavailable',
]
const isReady = async () => (await server.call('/health/ready')).status === 200
const live = async () => listOf(await anna.get('/api/files/user?limit=200')).length

/** A download and an upload of which a part has passed, to be ended while the fault lasts. */
async function underWay() {
  const reader = await openReader(server.address, anna, largePath)
  await reader.read(MIB)
  const data = pdf(randomUUID(), 3 * MIB)
  const { headers, body } = multipart([filePart(data)])
  const sent = new PassThrough()
  sent.write(body.subarray(0, MIB))
  const answer = server.call(uploadPath, {
    ...{ method: 'POST', token: anna.token, body: sent },
    headers: { ...headers, 'content-length': String(body.length) },
  })
  await eventually('the upload is being read', () => sent.readableLength === 0)
  return {
    data,
    download: () => reader.drain(),
    upload: async () => {
      sent.end(body.subarray(MIB))
      return await answer
    },
  }
}

/** An upload that can be sent again as it is. */
function uploadOf(size: number) {
  const data = pdf(randomUUID(), size)
  const headers = { 'idempotency-key': randomUUID() }
  return { data, send: () => anna.form(uploadPath, [filePart(data)], { headers }) }
}

for (const row of otherOutages) {
  await t.test(row.fault, { timeout: 120_000 }, async (t) => {
    const fault = faults.get(row.fault)
    if (fault === undefined) throw new Error('how it comes about is not said')
    const before = await live()
    const doomed = filePath(await anna.file(pdf(randomUUID())))
    const [first, second] = [uploadOf(30_000), uploadOf(11 * MIB)]
    const grant = { user_id: randomUUID() }
    const calls = {
      // First: a deletion makes room.
      ready: () => server.call('/health/ready'),
      upload: first.send,
      large: second.send,
      list: () => anna.get('/api/files/user'),
      download: () => anna.get(smallPath),
      share: () => anna.post(`${recordPath(recordId)}/grants`, grant),
      remove: () => anna.delete(doomed),
    } satisfies Partial<Record<keyof Outage, () => Promise<Answer>>>
    const begun = row.upload === 201 ? await underWay() : undefined
    await fault.begin()
    if (begun !== undefined) {
      t.ok((await begun.download()).equals(large), 'a download under way goes on')
      const answer = await begun.upload()
      t.equal(answer.status, 201, `an upload under way, too: ${answer.text.slice(0, 160)}`)
      const path = filePath(answer.body.file_id ?? '')
      t.ok((await anna.get(path)).bytes.equals(begun.data), 'byte for byte')
      t.equal((await anna.delete(path)).status, 200)
    }
    for (const [name, send] of Object.entries(calls)) {
      const expected = row[name as keyof typeof calls]
      const answer = await send()
      t.equal(answer.status, expected, `${name}: ${answer.text.slice(0, 160)}`)
      if (answer.status !== 503 || name === 'ready') continue
      t.ok(refusals.includes(answer.body.code ?? ''), `${name}: ${answer.body.code ?? ''}`)
      t.ok(Number(answer.headers['retry-after']) > 0, `${name} says when to come again`)
    }
    if (row.fault === 'the clock is two hours ahead') {
      const ended = { token: mintToken(claimsOf('anna'), server.secret) }
      t.match(await server.call('/api/files/user', ended), { status: 401 }, 'a token of an hour')
    }
    await fault.end()
    await eventually('ready', isReady)
    for (const { data, send } of [first, second]) {
      const answer = await send()
      t.equal(answer.status, 201, `sent again as it is: ${answer.text.slice(0, 160)}`)
      const path = filePath(answer.body.file_id ?? '')
      t.ok((await anna.get(path)).bytes.equals(data), 'byte for byte')
      t.equal((await anna.delete(path)).status, 200)
    }
    t.ok([200, 404].includes((await anna.delete(doomed)).status), 'a deletion that came through')
    t.equal((await anna.get(doomed)).status, 404)
    t.equal(await live(), before, 'nothing is there twice, nothing is lost')
    t.ok((await anna.get(smallPath)).bytes.equals(small))
    t.ok((await anna.get(largePath)).bytes.equals(large))
    const grants = await anna.get(`${recordPath(recordId)}/grants`)
    const isShared = grants.text.includes(grant.user_id)
    t.ok(isShared === (row.share === 201), 'a grant that was answered is there, no other')
  })
}

await t.test('nothing is left of all that, and the log is sound', async (t) => {
  const verified = await server.command('audit', 'verify')
  t.equal(verified.code, 0, verified.out + verified.err)
  const swept = await server.command('sweep', '--json', '--grace-hours', '1')
  t.equal(swept.code, 0, swept.err)
  t.match(JSON.parse(swept.out), { damaged: 0, sound: 3 })
})
