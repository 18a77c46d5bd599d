/*
 * The main job, end to end, against the running service: documents go in, lie sealed on the disk, come
 * out for the right people, and it is all on record. Shows each step and ends non-zero where anything
 * it says does not hold. `npm start` in one terminal, `npm run demo` in another.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  type Answer,
  dataDir,
  filesDir,
  origin,
  type Person,
  personOf,
  readSecret,
} from './service.js'
import { chapter, claim, hex, show, tally } from './show.js'

interface Document {
  readonly name: string
  readonly type: string
  readonly bytes: Buffer
}

const run = randomBytes(3).toString('hex')
const fixtures = new URL('../../test/fixtures/', import.meta.url)
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

async function documentOf(name: string, type: string): Promise<Document> {
  return { name, type, bytes: await readFile(new URL(name, fixtures)) }
}

function formOf(file: Document, fields: Readonly<Record<string, string>> = {}): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  form.append('file', new Blob([file.bytes], { type: file.type }), file.name)
  return form
}

/** Every list in an answer is an array of objects. */
function listIn({ json }: Answer): Readonly<Record<string, unknown>>[] {
  const [list = []] = Object.values(json).filter((each) => Array.isArray(each))
  return list as Readonly<Record<string, unknown>>[]
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')

/** Paths of the sealed files there are. */
async function blobs(): Promise<string[]> {
  const entries = await readdir(filesDir, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Whether any stretch of 16 bytes of the document, taken at every 8th place, is in the sealed bytes. */
function leaks(sealed: Buffer, { bytes }: Document): boolean {
  for (let at = 0; at + 16 <= bytes.length; at += 8) {
    const piece = bytes.subarray(at, at + 16)
    if (new Set(piece).size > 4 && sealed.includes(piece)) return true
  }
  return false
}

async function uploadFiles(ann: Person, documents: readonly Document[]): Promise<string[]> {
  chapter('1. Ann sends three documents')
  const ids: string[] = []
  for (const file of documents) {
    const { status, json } = await ann.post('/api/files/upload', formOf(file))
    show(`${file.name}: ${file.bytes.length} bytes → ${status} ${text(json['content_type'])}`)
    claim(
      `${file.name} is stored as what it is, with its SHA-256`,
      [
        status === 201,
        json['content_type'] === file.type,
        json['sha256'] === sha256(file.bytes),
      ].every(Boolean),
    )
    ids.push(text(json['file_id']))
  }
  return ids
}

async function lookAtDisk(before: readonly string[], documents: readonly Document[]) {
  chapter('2. What lies on the disk')
  const added = (await blobs()).filter((path) => !before.includes(path))
  claim('one sealed file for each document', added.length === documents.length)
  for (const path of added) {
    const sealed = await readFile(path)
    const mode = (await stat(path)).mode & 0o777
    show(`${path}  (${sealed.length} bytes, ${mode.toString(8)})`)
    for (const line of hex(sealed)) show(line)
    claim('it begins as a sealed file does', sealed.subarray(0, 8).toString() === 'STRONGR1')
    claim('nothing of any document is in it', !documents.some((file) => leaks(sealed, file)))
    claim(
      'readable by the service alone, its name a random id',
      [mode === 0o600, /^[0-9a-f-]{36}$/.test(basename(path))].every(Boolean),
    )
  }
}

async function readBack(ann: Person, other: Person, ids: readonly string[], documents: Document[]) {
  chapter('3. Ann reads them again; someone else does not')
  for (const [index, file] of documents.entries()) {
    const path = `/api/files/${ids[index] ?? ''}`
    const whole = await ann.get(path)
    claim(`${file.name} comes back byte for byte`, whole.bytes.equals(file.bytes))
    const range = await ann.get(path, { range: 'bytes=100-199' })
    claim(
      'and a hundred bytes out of its middle: 206',
      [range.status === 206, range.bytes.equals(file.bytes.subarray(100, 200))].every(Boolean),
    )
    const refused = await other.get(path)
    claim(`${other.id} gets 404, as if it did not exist`, refused.status === 404)
  }
}

interface Care {
  readonly ann: Person
  readonly doctor: Person
  readonly stranger: Person
  readonly admin: Person
  readonly report: Document
}

const recordPath = (id: string) => `/api/files/medical-records/${id}`

async function fileRecord({ ann, doctor, stranger, admin, report }: Care): Promise<string> {
  chapter('4. A clinician files a medical record')
  const fields = { patient_id: ann.id, medical_record_type_id: 'laboratory-report' }
  const upload = (by: Person) => by.post('/api/files/upload/medical-record', formOf(report, fields))
  const early = await upload(doctor)
  show(`${doctor.id}, not yet assigned → ${early.status} ${text(early.json['code'])}`)
  claim('who is not assigned files nothing', early.status === 403)
  await admin.post('/api/assignments', { clinician_id: doctor.id, patient_id: ann.id })
  const { status, json } = await upload(doctor)
  show(`${doctor.id}, assigned by ${admin.id} → ${status}`)
  claim('who is assigned does', status === 201)
  const id = text(json['file_id'])
  const refused = await upload(stranger)
  claim(`${stranger.id}, a clinician who is not assigned, still gets 403`, refused.status === 403)

  chapter('5. Who holds its key')
  const grants = listIn(await ann.get(`${recordPath(id)}/grants`))
  for (const grant of grants) show(`${text(grant['user_id'])} (${text(grant['basis'])})`)
  const holders = grants.map((grant) => text(grant['user_id'])).sort()
  claim('the patient and the clinician, nobody else', same(holders, [ann.id, doctor.id].sort()))
  return id
}

const same = (a: readonly string[], b: readonly string[]) => JSON.stringify(a) === JSON.stringify(b)

async function readRecord({ ann, stranger, admin, report }: Care, id: string): Promise<void> {
  chapter('6. What the patient sees, and what others get')
  const records = listIn(await ann.get('/api/files/medical-records'))
  for (const record of records)
    show(`${text(record['filename'])} by ${text(record['uploader_id'])}`)
  claim(
    'the record is in her list',
    records.some((record) => record['file_id'] === id),
  )
  const view = await ann.get(`${recordPath(id)}/download?view=true`)
  show(`view: ${view.status} ${view.headers.get('content-disposition') ?? ''}`)
  claim('she reads it, byte for byte', view.bytes.equals(report.bytes))
  for (const person of [stranger, admin]) {
    const { status, json } = await person.get(`${recordPath(id)}/download`)
    show(`${person.id} → ${status} ${text(json['code'])}`)
    claim(`${person.id} gets 404`, status === 404)
  }
}

async function revoke({ ann, doctor }: Care, id: string): Promise<void> {
  chapter('7. The patient takes the access back')
  const before = await doctor.get(`${recordPath(id)}/download`)
  claim(`${doctor.id} can read it`, before.status === 200)
  await ann.remove(`${recordPath(id)}/grants/${doctor.id}`)
  const after = await doctor.get(`${recordPath(id)}/download`)
  show(`${doctor.id} → ${after.status} ${text(after.json['code'])}`)
  claim('and no longer can', after.status === 403)
}

async function readLog({ ann, doctor, stranger }: Care): Promise<void> {
  chapter('8. What is on record, as the patient reads it')
  const entries = listIn(await ann.get('/api/patients/me/access-log'))
  const lines = entries.map((entry) =>
    ['action', 'outcome', 'actor_id', 'reason']
      .map((name) => text(entry[name]))
      .join(' ')
      .trim(),
  )
  for (const line of lines) show(line)
  const has = (line: string) => lines.some((each) => each.startsWith(line))
  claim('the upload', has(`record.upload success ${doctor.id}`))
  claim('her own view', has(`record.view success ${ann.id}`))
  claim("the clinician's download", has(`record.download success ${doctor.id}`))
  claim('the refused uploads', has(`record.upload denied ${stranger.id} not_assigned`))
  claim('the refused download', has(`record.download denied ${stranger.id}`))
  claim('the end of the grant', has(`record.revoke success ${ann.id}`))
}

async function main(): Promise<void> {
  const secret = await readSecret()
  const person = (name: string, role: string) => personOf(secret, `${name}-${run}`, role)
  const [ann, ben] = [person('ann', 'patient'), person('ben', 'patient')]
  const [doctor, stranger] = [person('dr-lee', 'clinician'), person('dr-roe', 'clinician')]
  const admin = person('root', 'admin')
  const documents = [
    await documentOf('laboratory-report.pdf', 'application/pdf'),
    await documentOf('photograph.jpeg', 'image/jpeg'),
    await documentOf('phantom.dcm', 'application/dicom'),
  ]
  const [report] = documents
  if (report === undefined) return
  show(`${origin}, data in ${dataDir}`)
  const before = await blobs()
  const ids = await uploadFiles(ann, documents)
  await lookAtDisk(before, documents)
  await readBack(ann, ben, ids, documents)
  const care = { ann, doctor, stranger, admin, report }
  const record = await fileRecord(care)
  await readRecord(care, record)
  await revoke(care, record)
  await readLog(care)
  const { made, broken } = tally()
  console.log(`\n${made} claims, ${broken} that do not hold`)
  process.exitCode = broken === 0 ? 0 : 1
}

main().catch((error: unknown) => {
  console.error(`The demo could not go on; is the service running at ${origin}?`)
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
