import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import t, { type Test } from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { filePart } from './support/multipart.js'
import { assign, filePath, personOf, recordPath, recordType } from './support/people.js'
import { type Settings, startServer } from './support/server.js'

// A person is shredded: what is left of their keys in the database as it lies on the disk, what an old
// backup still opens and until when, and what the certificate says of it.

const key = () => `${randomBytes(32).toString('base64url')}=`
const [old, next] = [key(), key()]
const withOld = { MASTER_KEYS: old, BACKUP_RETENTION_DAYS: '0' }
const server = await startServer(withOld)
t.teardown(() => server.close())
const isEmbedded = server.database === undefined
const place = await mkdtemp(join(tmpdir(), 'strongroom-erasure-'))
t.teardown(() => rm(place, { recursive: true, force: true }))

const [anna, ben, doctor] = [
  personOf(server, 'anna'),
  personOf(server, 'ben'),
  personOf(server, 'doctor'),
]
const admin = personOf(server, 'admin', { role: 'admin' })
await assign(admin, doctor, anna)
const fields = { patient_id: anna.id, medical_record_type_id: await recordType(admin) }
const data = pdf('first')
const file = await anna.file(data)
const newer = pdf('second')
await anna.form(`${filePath(file)}/content`, [filePart(newer)], { method: 'PUT' })
for (const seed of ['third', 'fourth', 'fifth']) await anna.file(pdf(seed))
const kept = await doctor.record(pdf('kept'), fields)
const hers = await doctor.record(pdf('hers'), fields)
const purpose = { user_id: ben.id, purpose: 'a second opinion' }
await anna.post(`${recordPath(kept)}/grants`, purpose)
await anna.delete(`${recordPath(hers)}/grants/${doctor.id}`)
const bens = await ben.file(pdf('bens'))

/** Rows of the database while no service runs on it; `folder` is a copy of the data. */
async function query(
  folder: string,
  url: string,
  text: string,
): Promise<Record<string, unknown>[]> {
  if (isEmbedded) {
    const database = await PGlite.create(join(folder, 'database/cluster'))
    const { rows } = await database.query<Record<string, unknown>>(text)
    await database.close()
    return rows
  }
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(text)
  await client.end()
  return rows
}

interface Copy {
  readonly folder: string
  readonly url: string
}

/** A copy of everything, made while the service is stopped. */
async function backUp(name: string): Promise<Copy> {
  const folder = join(place, name)
  await cp(server.dataDir, folder, { recursive: true })
  if (server.database === undefined) return { folder, url: '' }
  const url = new URL(server.database.url)
  const from = url.pathname.slice(1)
  const to = `${from}_${name}`
  url.pathname = '/postgres'
  const admins = url.href
  await query('', admins, `create database ${to} template ${from}`)
  t.teardown(() => query('', admins, `drop database if exists ${to} with (force)`))
  url.pathname = `/${to}`
  return { folder, url: url.href }
}

/** Every wrapped key that opens something of a person's, as it stands in the rows. */
async function keyTextsOf({ folder, url }: Copy, person: string): Promise<string[]> {
  const rows = await query(
    folder,
    url,
    `select wrapped from user_keys where user_id = '${person}' union all
      select w.wrapped from wrapped_file_keys w join grants g on g.grant_id = w.grant_id
      where g.user_id = '${person}' union all
      select purpose from grants where granted_by = '${person}' and purpose is not null`,
  )
  return rows.map(({ wrapped }) => String(wrapped))
}

/** Bytes of everything the database keeps on the disk: of PostgreSQL the tables, without its log. */
async function rawFiles(): Promise<{ name: string; bytes: Buffer }[]> {
  if (server.database !== undefined) {
    await server.database.query('checkpoint')
    const rows = await server.database.query(
      `select name, pg_read_binary_file(path) as bytes from (
        select name, 'base/' || d.oid || '/' || name as path
        from pg_database d, pg_ls_dir('base/' || d.oid) name where d.datname = current_database()
      ) files`,
    )
    return rows.map(({ name, bytes }) => ({ name: String(name), bytes: bytes as Buffer }))
  }
  const folder = join(server.dataDir, 'database')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((each) => each.isFile()).map((e) => join(e.parentPath, e.name))
  return await Promise.all(paths.map(async (name) => ({ name, bytes: await readFile(name) })))
}

/** In which files each of the texts is found. */
async function search(texts: readonly string[]): Promise<Map<string, string[]>> {
  const files = await rawFiles()
  return new Map(
    texts.map((text) => [
      text,
      files.filter(({ bytes }) => bytes.includes(text)).map(({ name }) => name),
    ]),
  )
}

const found = (finds: Map<string, string[]>) =>
  [...finds.values()].filter(({ length }) => length > 0)

async function opensIn(t: Test, { folder, url }: Copy, masterKeys: string): Promise<void> {
  const settings: Settings = {
    ...{ DATA_DIR: folder, MASTER_KEYS: masterKeys, JWT_SECRET_KEY: server.secret },
    ...(isEmbedded ? {} : { DATABASE_URL: url }),
  }
  const restored = await startServer(settings)
  try {
    const token = restored.tokenOf(anna.id)
    const answer = await restored.call(filePath(file), { token: token })
    hasStatus(t, answer, 401, 'a token of the other secret')
    const again = await restored.call(filePath(file), { token: server.tokenOf(anna.id) })
    hasBytes(t, again, newer)
  } finally {
    await restored.close()
  }
}

await server.stop()
const backup = await backUp('before')
const texts = await keyTextsOf(await backUp('read'), anna.id)
await server.start(withOld)

interface Said {
  readonly state: string
  readonly complete_when: readonly { readonly condition: string; readonly met: boolean }[]
  readonly [fact: string]: unknown
}

const certificatePath = join(place, 'certificate.json')
const keyPath = join(place, 'key.pem')

/** The certificate now, checked without a service or settings. */
async function certified(t: Test, erasureId: string): Promise<Said> {
  const issued = await server.command('certificate', erasureId)
  t.equal(issued.code, 0, issued.err)
  await writeFile(certificatePath, issued.out)
  const checked = await server.command(
    'certificate',
    'verify',
    certificatePath,
    '--key',
    keyPath,
    '--json',
  )
  t.equal(checked.code, 0, checked.err)
  return JSON.parse(checked.out) as Said
}

const outstanding = ({ complete_when }: Said) =>
  complete_when.filter(({ met }) => !met).map(({ condition }) => condition)

let erasureId = ''

await t.test('a dry run says how much, and touches nothing', async (t) => {
  const dry = await server.command('shred', '--person', anna.id, '--json')
  t.equal(dry.code, 0, dry.err)
  t.match(JSON.parse(dry.out), {
    ...{ dry_run: true, user_keys: 1, file_keys: 7, files: 5, versions: 6, records_kept: 1 },
    legal_hold: false,
  })
  hasBytes(t, await anna.get(filePath(file)), newer)
  t.equal(texts.length, 9, 'a user key, seven file keys and a purpose')
  const before = await search(texts)
  t.equal(found(before).length, texts.length, 'all of them lie in the database’s files')
  if (isEmbedded) {
    const places = found(before).flat()
    t.ok(
      places.some((name) => name.includes('pg_wal')),
      'in its log',
    )
    t.ok(
      places.some((name) => name.includes('base')),
      'and in its tables',
    )
  }
})

await t.test('a person is shredded', async (t) => {
  const made = await server.command('certificate', 'key')
  t.match(made, { code: 0, out: /^-----BEGIN PUBLIC KEY-----/ })
  await writeFile(keyPath, made.out)
  const rewrite = isEmbedded ? [] : ['--rewrite']
  const args = ['--person', anna.id, '--yes', '--by', 'officer', ...rewrite]
  const shredded = await server.command('shred', ...args)
  t.equal(shredded.code, 0, shredded.err)
  erasureId = /Erasure (\S+):/.exec(shredded.err)?.[1] ?? ''
  t.match(shredded.err, /1 user keys, 7 wrapped file keys\n5 files.*6 sealings\n1 records stay/)

  isProblem(t, await anna.get(filePath(file)), 404)
  t.match((await anna.get('/api/files/user')).body, { files: [] })
  isProblem(t, await anna.upload(pdf('again')), 409, 'person_erased')
  isProblem(t, await anna.get(`${recordPath(kept)}/download`), 403)
  isProblem(t, await doctor.uploadRecord(pdf('new'), fields), 409, 'person_erased')
  isProblem(t, await doctor.get(`${recordPath(hers)}/download`), 404)
  hasBytes(t, await doctor.get(`${recordPath(kept)}/download`), pdf('kept'))
  hasBytes(t, await ben.get(`${recordPath(kept)}/download`), pdf('kept'))
  hasStatus(t, await doctor.get(`${recordPath(kept)}/grants`), 200)
  hasStatus(t, await doctor.get(`${recordPath(kept)}/metadata`), 200)
  const version = pdf('a version after')
  const put = { method: 'PUT' }
  hasStatus(t, await doctor.form(`${recordPath(kept)}/content`, [filePart(version)], put), 200)
  hasBytes(t, await ben.get(`${recordPath(kept)}/download`), version)
  const late = { user_id: anna.id }
  isProblem(t, await doctor.post(`${recordPath(kept)}/grants`, late), 409)
  hasBytes(t, await ben.get(filePath(bens)), pdf('bens'))
  const scrubbed = await server.command('scrub', '--json', '--rate', '100')
  t.match(JSON.parse(scrubbed.out), { checked: 3, damaged_files: 0 }, scrubbed.err)
})

await t.test('nothing of their keys is left in the database as it lies on the disk', async (t) => {
  if (isEmbedded) {
    t.strictSame(found(await search(texts)), [], 'while the service runs')
    await server.stop()
  }
  t.strictSame(found(await search(texts)), [], 'and afterwards')
  if (isEmbedded) await server.start(withOld)
})

await t.test('an old backup opens, and the certificate says so', async (t) => {
  const said = await certified(t, erasureId)
  t.match(said, { state: 'pending', requested_by: 'officer', what: { person_id: anna.id } })
  t.strictSame(outstanding(said), ['master_key_retired'], 'no backup is kept, by the settings')
  const plain = await server.command('certificate', 'verify', certificatePath, '--key', keyPath)
  t.match(plain.out, /state: pending[^]*outstanding: master key [0-9a-f]{16} retired/)
  const altered = (await readFile(certificatePath, 'utf8')).replace('eyJ', 'eyK')
  await writeFile(join(place, 'altered.json'), altered)
  const refused = await server.command(
    'certificate',
    'verify',
    join(place, 'altered.json'),
    '--key',
    keyPath,
  )
  t.match(refused, { code: 1, out: '', err: /not genuine/ })
  await opensIn(t, backup, `${next},${old}`)
})

await t.test('once the master key is retired, no backup opens', async (t) => {
  await server.stop()
  await server.start({ ...withOld, MASTER_KEYS: `${next},${old}` })
  const rotated = await server.command('keys', 'rotate-master')
  t.equal(rotated.code, 0, rotated.err)
  t.match(await certified(t, erasureId), { state: 'pending' })
  const status = await server.command('keys', 'status', '--json')
  const keys = (JSON.parse(status.out) as { master_keys: { id: string; configured: string }[] })
    .master_keys
  const oldId = keys.find(({ configured }) => configured !== 'first')?.id ?? ''
  const retired = await server.command('keys', 'retire', oldId)
  t.equal(retired.code, 0, retired.err)
  const said = await certified(t, erasureId)
  t.strictSame([said.state, outstanding(said)], ['complete', []])
  await t.rejects(opensIn(t, backup, next), /No master key given opens/)
  await server.stop()
  await server.start({ ...withOld, MASTER_KEYS: next })
  hasBytes(t, await ben.get(filePath(bens)), pdf('bens'))
  t.match(await certified(t, erasureId), { state: 'complete' })
})

await t.test('a file and a version', async (t) => {
  const id = await ben.file(pdf('one'))
  await ben.form(`${filePath(id)}/content`, [filePart(pdf('two'))], { method: 'PUT' })
  const current = await server.command('shred', '--file', id, '--version', '2', '--yes')
  t.match(current, { code: 1, err: /current version/ })
  const version = await server.command('shred', '--file', id, '--version', '1', '--yes')
  t.equal(version.code, 0, version.err)
  isProblem(t, await ben.get(`${filePath(id)}?version=1`), 404)
  hasBytes(t, await ben.get(filePath(id)), pdf('two'))
  const whole = await server.command('shred', '--file', id, '--yes')
  t.equal(whole.code, 0, whole.err)
  if (!isEmbedded) t.match(whole.err, /may hold old copies/)
  isProblem(t, await ben.get(filePath(id)), 404)
  const again = /Erasure (\S+):/.exec(whole.err)?.[1] ?? ''
  t.strictSame(
    outstanding(await certified(t, again)).includes('old_copies_in_database_removed'),
    !isEmbedded,
  )
  t.match(await server.command('shred', '--finish', again, '--rewrite'), { code: 0 })
  t.notOk(outstanding(await certified(t, again)).includes('old_copies_in_database_removed'))
})

await t.test('called wrongly', async (t) => {
  t.match(await server.command('shred', '--yes'), { code: 2, err: /either --file or --person/ })
  const both = ['--file', file, '--person', 'x']
  t.match(await server.command('shred', ...both), { code: 2 })
  t.match(await server.command('shred', '--person', 'x', '--version', '1'), { code: 2 })
  t.match(await server.command('shred', '--person', anna.id, '--yes'), {
    code: 1,
    err: /person_erased/,
  })
  t.match(await server.command('certificate', 'x'), { code: 1, err: /not_found/ })
  t.match(await server.command('certificate', 'verify', 'none', '--key', keyPath), { code: 1 })
})
