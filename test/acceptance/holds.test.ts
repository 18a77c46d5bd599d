import t, { type Test } from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { filePart } from './support/multipart.js'
import { assign, filePath, personOf, recordPath, recordType } from './support/people.js'
import { startServer } from './support/server.js'

// Legal holds: placed by an operator's command, felt by everyone who would destroy.

const server = await startServer({ DELETE_RETENTION_DAYS: '0' })
t.teardown(() => server.close())
const [anna, doctor] = [personOf(server, 'anna'), personOf(server, 'doctor')]
const admin = personOf(server, 'admin', { role: 'admin' })
await assign(admin, doctor, anna)
const type = await recordType(admin)

async function json(t: Test, ...args: string[]): Promise<Readonly<Record<string, unknown>>> {
  const { code, out, err } = await server.command(...args, '--json')
  t.equal(code, 0, err)
  return JSON.parse(out) as Readonly<Record<string, unknown>>
}

async function holdOn(t: Test, ...about: string[]): Promise<string> {
  const placed = await json(t, 'hold', 'place', ...about, '--reference', 'case-7', '--by', 'legal')
  t.match(placed, { reference: 'case-7', placed_by: 'legal', released_by: null })
  return String(placed['hold_id'])
}

const release = (t: Test, id: string) => json(t, 'hold', 'release', id, '--by', 'legal')

await t.test('a file under hold is not deleted, and everything else goes on', async (t) => {
  const data = pdf('kept')
  const id = await anna.file(data)
  const [first, second] = [await holdOn(t, '--file', id), await holdOn(t, '--file', id)]
  isProblem(t, await anna.delete(filePath(id)), 423, 'legal_hold')
  isProblem(t, await anna.delete(`${filePath(id)}/delete`), 423, 'legal_hold')
  hasBytes(t, await anna.get(filePath(id)), data)
  const newer = pdf('newer')
  const put = await anna.form(`${filePath(id)}/content`, [filePart(newer)], { method: 'PUT' })
  hasStatus(t, put, 200)
  for (const more of [[], ['--version', '1']]) {
    const refused = await server.command('shred', '--file', id, ...more, '--yes')
    t.match(refused, { code: 1, out: '', err: /legal hold.*\(legal_hold\)/ })
  }
  const dry = await server.command('shred', '--file', id)
  t.match(dry, { code: 0, out: /Dry run/, err: /would be refused: under legal hold/ })
  const log = await anna.get(`${filePath(id)}/access-log`)
  const said = log.text
  t.match(said, /"outcome":"denied","reason":"legal_hold"/, 'the attempt is on record')
  t.notMatch(said, /hold\.place|case-7/, 'the hold itself is not the owner’s to read')

  t.match(await json(t, 'hold', 'list'), { holds: [{ hold_id: first }, { hold_id: second }] })
  await release(t, first)
  isProblem(t, await anna.delete(filePath(id)), 423, 'legal_hold')
  t.match(await server.command('hold', 'release', first), { code: 1, err: /\(not_found\)/ })
  await release(t, second)
  hasStatus(t, await anna.delete(filePath(id)), 200, 'once none stands')
  t.match(await json(t, 'hold', 'list'), { holds: [] })
  const all = (await json(t, 'hold', 'list', '--all'))['holds']
  t.match(all, [{ hold_id: first, released_by: 'legal' }, { hold_id: second }], 'rows stay')
})

await t.test('a hold on a patient keeps every record about them', async (t) => {
  const fields = { patient_id: anna.id, medical_record_type_id: type }
  const id = await doctor.record(pdf('record'), fields)
  const own = await anna.file(pdf('own'))
  const hold = await holdOn(t, '--person', anna.id)
  isProblem(t, await doctor.delete(`${recordPath(id)}/delete`), 423, 'legal_hold')
  isProblem(t, await admin.delete(`${recordPath(id)}/delete`), 423, 'legal_hold')
  isProblem(t, await anna.delete(filePath(own)), 423, 'legal_hold')
  isProblem(t, await anna.delete(`${recordPath(id)}/delete`), 403, 'patient_cannot_delete')
  t.match(await server.command('shred', '--person', anna.id, '--yes'), {
    code: 1,
    err: /legal_hold/,
  })
  hasStatus(t, await doctor.record(pdf('another'), fields).then(() => anna.get(filePath(own))), 200)
  await release(t, hold)
  hasStatus(t, await doctor.delete(`${recordPath(id)}/delete`), 200)
})

await t.test('what is not known, or not rightly called', async (t) => {
  const place = (...args: string[]) => server.command('hold', 'place', ...args)
  const reference = ['--reference', 'case']
  t.match(await place('--person', 'nobody', ...reference), { code: 1, err: /\(not_found\)/ })
  t.match(await place('--file', 'x', ...reference), { code: 1, err: /\(not_found\)/ })
  t.match(await place(...reference), { code: 2, err: /either --file or --person/ })
  t.match(await place('--file', 'x', '--person', 'y', ...reference), { code: 2 })
  t.match(await place('--person', anna.id), { code: 2, err: /--reference/ })
  const long = 'x'.repeat(129)
  t.match(await place('--person', anna.id, '--reference', long), { code: 1, err: /invalid_field/ })
  const lines = ['--reference', 'two\nlines']
  t.match(await place('--person', anna.id, ...lines), { code: 1, err: /invalid_field/ })
  t.match(await server.command('hold', 'release', 'x'), { code: 1, err: /\(not_found\)/ })
  t.match(await server.command('hold', '--help'), { code: 0, out: /place.*release.*list/s })
})

await t.test('a purge by hand', async (t) => {
  t.match(await json(t, 'purge'), { purged: 0, held: 0 })
  t.match(await server.command('purge'), { code: 0, out: /^0 deleted files destroyed.*\n0 left/ })
})
