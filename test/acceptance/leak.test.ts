import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { hasStatus } from './support/checks.js'
import { zip } from './support/content.js'
import type { Answer } from './support/http.js'
import { fields, filePart } from './support/multipart.js'
import {
  assign,
  filePath,
  personOf,
  recordPath,
  recordType,
  recordUploadPath,
  uploadPath,
} from './support/people.js'
import { rawCall, requestHead } from './support/raw.js'
import { type Find, needlesOf, search, searchFolder } from './support/search.js'
import { startServer } from './support/server.js'

// A word that is in everything we send, and must be in nothing that is kept or told: not in logs,
// errors, database, disk or audit, however it is written there. Each canary begins with it and goes
// on with the input's name, which is the clue where one is found.

const word = `zq${randomBytes(10).toString('hex')}`
const control = `zc${randomBytes(10).toString('hex')}`
const canary = (input: string) => `${word}${input.replaceAll(' ', '')}`

const server = await startServer({ LOG_LEVEL: 'trace' })
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const claims = { email: `${canary('email')}@example.org`, name: canary('person') }
const anna = personOf(server, 'anna', claims)
const doctor = personOf(server, 'doctor', { role: 'clinician', ...claims })
await assign(admin, doctor, anna)
// What is no secret is kept as it is: found, it proves that the search reads the database.
const type = await recordType(admin, { name: control })
const record = fields({ patient_id: anna.id, medical_record_type_id: type })

const needles = needlesOf(word)

/** Answers that must not repeat what was sent. */
const answers: Answer[] = []
const kept = (answer: Answer) => {
  answers.push(answer)
  return answer
}

const body = (kind: string) => Buffer.from(`${`${canary(kind)} é 血 `.repeat(50)}\n`)
const named = (name: string) => ({
  filename: `${canary(name)} "é".txt`,
  type: 'text/plain',
  headers: {
    'x-canary': canary('part header'),
    'content-description': canary('part description'),
    [canary('part header name')]: 'x',
  },
})

const texts = (kind: string) =>
  fields({ label: `${canary(`${kind} label`)} é`, notes: `${canary(`${kind} notes`)} 血` })

await t.test('the word is put into every input of family A', async (t) => {
  const headers = { 'idempotency-key': canary('idempotency key') }
  const upload = await anna.form(
    uploadPath,
    [...texts('file'), filePart(body('file body'), named('file name'))],
    { headers },
  )
  hasStatus(t, upload, 201)
  const path = filePath(upload.body.file_id ?? '')
  kept(await anna.upload(body('file body'), named('duplicate name')))
  const batch = [filePart(body('batch body'), named('batch name'))]
  hasStatus(t, await anna.form('/api/files/upload/batch', batch), 207)
  const version = filePart(body('version body'), named('version name'))
  hasStatus(t, await anna.form(`${path}/content`, [version], { method: 'PUT' }), 200)
  const change = { filename: canary('new name'), label: canary('new label'), notes: word }
  hasStatus(t, await anna.patch(`${path}/metadata`, change), 200)
  hasStatus(t, await anna.get(path), 200)
  hasStatus(t, await anna.get(`${path}?view=true`), 200)
  hasStatus(t, await anna.get('/api/files/user'), 200)
  hasStatus(t, await anna.delete(path), 200)
  hasStatus(t, await anna.post(`${path}/restore`), 200)
  const archive = zip([{ name: canary('zip entry'), data: body('zip body') }])
  const facts = { ...named('zip name'), type: 'application/zip' }
  hasStatus(t, await anna.upload(archive, facts), 201)
  const large = Buffer.concat(Array.from({ length: 300 }, () => body('large body')))
  hasStatus(t, await anna.upload(large, named('large name')), 201)
  kept(await anna.get(`${path}/access-log`))
})

await t.test('and of family B', async (t) => {
  const upload = await doctor.form(recordUploadPath, [
    ...record,
    ...texts('record'),
    filePart(body('record body'), named('record name')),
  ])
  hasStatus(t, upload, 201)
  const path = recordPath(upload.body.file_id ?? '')
  const purpose = `${canary('purpose')} é`
  const grant = await anna.post(`${path}/grants`, { user_id: 'friend', purpose })
  hasStatus(t, grant, 201)
  hasStatus(t, await personOf(server, 'friend').get(`${path}/download`), 200)
  const change = { filename: canary('record name 2'), label: canary('record label 2') }
  hasStatus(t, await doctor.patch(`${path}/metadata`, change), 200)
  const version = filePart(body('record version body'), named('record version name'))
  hasStatus(t, await doctor.form(`${path}/content`, [version], { method: 'PUT' }), 200)
  hasStatus(t, await anna.delete(`${path}/grants/friend`), 200)
  kept(await doctor.form(recordUploadPath, [...record, version]))
  const stranger = personOf(server, 'stranger', claims)
  kept(await stranger.form(recordUploadPath, [version, ...record, ...texts('refused')]))
  kept(await stranger.form(recordUploadPath, [...record, version]))
})

await t.test('and of requests that are refused', async (t) => {
  // Ben has nothing: where he is answered at all, nothing of it can be his own.
  const ben = personOf(server, 'ben', claims)
  const text = named('refused name')
  const bad = [
    await ben.get(`/nowhere/${canary('path')}?q=${canary('query')}`),
    await ben.get(`${filePath(canary('id'))}?q=${canary('query')}`),
    await ben.get(`/api/files/user?cursor=${canary('cursor')}&limit=${canary('limit')}`),
    await ben.get(`/api/files/medical-records?from=${canary('from')}`),
    await ben.get(`/api/files/user?${canary('parameter')}=${canary('parameter value')}`),
    await ben.post('/api/files/check', { [canary('json name')]: canary('json value') }),
    await ben.post('/api/files/check', { sha256: canary('json sha256'), size: canary('size') }),
    await ben.call('/api/files/check', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"${canary('broken json')}": ${canary('token')}`,
    }),
    await ben.call(uploadPath, {
      method: 'POST',
      headers: { 'content-type': `text/${canary('content type')}` },
      body: canary('raw body'),
    }),
    await ben.form(uploadPath, [
      ...fields({ [canary('field')]: canary('field value') }),
      filePart(body('refused body'), text),
    ]),
    await ben.upload(body('refused body'), { ...text, type: `application/${canary('type')}` }),
    await ben.upload(body('refused body'), text, fields({ sha256: canary('sha256') })),
    await ben.upload(Buffer.from(`MZ${canary('executable')}`), text),
    await ben.form(uploadPath, texts('without file')),
    await server.call('/api/files/user', { token: canary('token') }),
    await server.call('/api/files/user', { headers: { authorization: canary('authorization') } }),
    await ben.get('/api/files/user', {
      'x-request-id': `${canary('request id')} not well formed`,
    }),
    await ben.get('/api/files/user', { cookie: `access_token=${canary('cookie')}` }),
    await ben.get('/api/files/user', { referer: `http://x/${canary('referer')}` }),
    await rawCall(server.address, `${canary('method')} / HTTP/1.1\r\n\r\n`),
    await rawCall(
      server.address,
      requestHead('GET', '/api/files/user', { connection: 'close', [canary('header')]: 'x y\0' }),
    ),
  ]
  for (const answer of bad) kept(answer)
  t.notOk(
    bad.some((answer) => answer.status >= 500),
    'none of them by a 5xx',
  )
})

const say = (finds: readonly Find[]) =>
  finds.map(({ where, encoding, context }) => `${where}, ${encoding}: ${context}`)

await t.test('it is in no answer that refuses, and in no access log', (t) => {
  const finds = answers.flatMap(({ status, headers, bytes }) => [
    ...search(`the body of a ${status}`, bytes, needles),
    ...search(`the headers of a ${status}`, Buffer.from(JSON.stringify(headers)), needles),
  ])
  t.same(say(finds), [])
  t.end()
})

await t.test('it is in no log, not even at the finest level', (t) => {
  t.not(server.logs(), '')
  t.same(say(search('the log', Buffer.from(server.logs()), needles)), [])
  t.end()
})

/** All rows of all tables as text; bytes in them as hex. */
async function dump(): Promise<Buffer> {
  const { database } = server
  if (database === undefined) return Buffer.alloc(0)
  const tables = await database.query(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const rows: unknown[] = []
  for (const { name } of tables) {
    rows.push(await database.query(`SELECT each::text AS row FROM ${String(name)} AS each`))
  }
  return Buffer.from(JSON.stringify(rows))
}

await t.test('it is in no file and no table, while the service runs', async (t) => {
  t.same(say(await searchFolder(server.dataDir, needles)), [])
  t.same(say(search('the tables', await dump(), needles)), [])
})

await t.test('nor once it has stopped, where what is no secret is found', async (t) => {
  t.equal(await server.stop(), 0)
  const tables = await dump()
  t.same(say(await searchFolder(server.dataDir, needles)), [])
  t.same(say(search('the tables', tables, needles)), [])
  const controls = needlesOf(control)
  const finds = [
    ...(await searchFolder(server.dataDir, controls)),
    ...search('the tables', tables, controls),
  ]
  t.not(finds.length, 0, 'the name of a record type is found')
  t.same(say(search('the log', Buffer.from(server.logs()), needles)), [])
})

await t.test('a planted copy is found, however it is written', async (t) => {
  const folder = join(server.dataDir, 'planted')
  const secret = canary('planted')
  const copies: Readonly<Record<string, Buffer>> = {
    raw: Buffer.from(`before ${secret} after`),
    'base64 at 0': Buffer.from(Buffer.from(`${secret} after`).toString('base64')),
    'base64 at 1': Buffer.from(Buffer.from(`x${secret} after`).toString('base64')),
    'base64 at 2': Buffer.from(Buffer.from(`xy${secret} after`).toString('base64url')),
    hex: Buffer.from(Buffer.from(secret).toString('hex')),
    'upper case hex': Buffer.from(Buffer.from(secret).toString('hex').toUpperCase()),
    'percent-encoded': Buffer.from(
      secret.replaceAll(/./g, (c) => `%${Buffer.from(c).toString('hex')}`),
    ),
    'UTF-16LE': Buffer.from(secret, 'utf16le'),
    'UTF-16BE': Buffer.from(secret, 'utf16le').swap16(),
    'gzip within other bytes': Buffer.concat([randomBytes(99), gzipSync(`x ${secret}`)]),
    'zlib within other bytes': Buffer.concat([randomBytes(99), deflateSync(`x ${secret}`)]),
    'base64 within gzip': gzipSync(Buffer.from(secret).toString('base64')),
  }
  for (const [what, bytes] of Object.entries(copies)) {
    const place = join(folder, what.replaceAll(' ', '-'))
    await mkdir(place, { recursive: true })
    await writeFile(join(place, 'copy'), bytes)
    t.not((await searchFolder(place, needles)).length, 0, what)
  }
  const path = join(folder, 'path', canary('path'))
  await mkdir(path, { recursive: true })
  t.not((await searchFolder(join(folder, 'path'), needles)).length, 0, 'in a path')
  t.not((await searchFolder(server.dataDir, needles)).length, 0, 'within the data folder')
})
