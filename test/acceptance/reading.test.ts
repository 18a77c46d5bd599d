import t, { type Test } from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { listOf } from './support/http.js'
import {
  assign,
  filePath,
  type Person,
  personOf,
  recordPath,
  recordType,
} from './support/people.js'
import { openReader } from './support/reader.js'
import { startServer } from './support/server.js'

// What happens to an answer under way when it must not go on: the right is gone, the bytes are not
// what they were.

const mebibyte = 1024 * 1024
const segment = 256 * 1024

const server = await startServer()
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const patient = personOf(server, 'patient')
const doctor = personOf(server, 'doctor', { role: 'clinician' })
await assign(admin, doctor, patient)
const record = { patient_id: patient.id, medical_record_type_id: await recordType(admin) }

// More than all systems on the way take, a proxy's too: up to 32 MiB of memory for what comes in on each (`tcp_rmem`)
// and 4 for what goes out, so that the service cannot have sent it all.
const large = 90 * mebibyte
/** Opened, and not yet handed to the system by then: a piece or two, and what streams hold. */
const inProcess = mebibyte

const sayings = async (who: Person, path: string) => JSON.stringify(listOf(await who.get(path)))

/** An answer under way is broken off once `end` has been done, and `log` says so. */
async function isBrokenOff(
  t: Test,
  reader: { who: Person; path: string },
  end: () => Promise<unknown>,
  log: () => Promise<string>,
): Promise<void> {
  const reading = await openReader(server.address, reader.who, reader.path)
  t.equal(reading.status, 200)
  t.equal(reading.length, large)
  await reading.read(segment)
  t.notMatch(await log(), 'broken_off')
  await end()
  const taken = await eventually('the event', async () => /broken_off/.test(await log()), 15_000)
  t.ok(taken < 5500, `audited after ${Math.round(taken)} ms`)
  const got = (await reading.drain()).length
  // How much each side's system takes is its own affair; what the sender's still held is not delivered.
  const sent = (await openedOf(reader.path)) - inProcess
  t.ok(got < sent, `${got} of ${sent} bytes: what was on its way is taken back`)
  reading.destroy()
}

/** Bytes the service had opened of the file, by its log, when it broke the reading off. */
async function openedOf(path: string): Promise<number> {
  const [fileId] = /[0-9a-f-]{36}/.exec(path) ?? []
  const found = () =>
    server
      .logs()
      .split('\n')
      .find((line) => line.includes('"opening broken off"') && line.includes(`"${fileId ?? ''}"`))
  await eventually('the line in the log', () => found() !== undefined)
  return (JSON.parse(found() ?? '{}') as { readonly bytes: number }).bytes
}

const bystander = pdf('bystander', 800_000)
const unharmed = filePath(await patient.file(bystander))

await t.test('a grant revoked while a stalled reader reads', async (t) => {
  const data = pdf('revoked', large)
  const path = recordPath(await doctor.record(data, record))
  const friend = personOf(server, 'friend')
  await patient.post(`${path}/grants`, { user_id: friend.id })
  await isBrokenOff(
    t,
    { who: friend, path: `${path}/download` },
    async () => {
      hasStatus(t, await patient.delete(`${path}/grants/${friend.id}`), 200)
    },
    () => sayings(patient, `${path}/access-log`),
  )
  hasStatus(t, await patient.get(`${path}/download`, { range: 'bytes=0-9' }), 206)
})

await t.test('an assignment that ends while the clinician reads', async (t) => {
  const locum = personOf(server, 'locum', { role: 'clinician' })
  await assign(admin, locum, patient)
  const path = recordPath(await locum.record(pdf('for a time', large), record))
  await isBrokenOff(
    t,
    { who: locum, path: `${path}/download` },
    async () => {
      const pair = new URLSearchParams({ clinician_id: locum.id, patient_id: patient.id })
      hasStatus(t, await admin.delete(`/api/assignments?${pair.toString()}`), 200)
    },
    () => sayings(patient, `${path}/access-log`),
  )
  isProblem(t, await locum.get(`${path}/download`), 403)
})

await t.test('a record deleted while the patient reads', async (t) => {
  const id = await doctor.record(pdf('deleted', large), record)
  const before = await sayings(patient, '/api/patients/me/access-log')
  await isBrokenOff(
    t,
    { who: patient, path: `${recordPath(id)}/download` },
    async () => {
      hasStatus(t, await doctor.delete(`${recordPath(id)}/delete`), 200)
    },
    async () => {
      const now = await sayings(patient, '/api/patients/me/access-log')
      const events = listOf(await patient.get('/api/patients/me/access-log'))
      const ours = events.filter((event) => event.file_id === id)
      return now === before ? '' : JSON.stringify(ours)
    },
  )
})

await t.test('a file deleted while a slow reader reads on', async (t) => {
  const id = await patient.file(pdf('deleted file', large))
  const reading = await openReader(server.address, patient, filePath(id))
  await reading.read(segment)
  hasStatus(t, await patient.delete(filePath(id)), 200)
  const start = performance.now()
  let isOpen = true
  // As slow as 2.5 MiB a second: in 5 s the buffers and what follows stay below the whole.
  const taken = await eventually(
    'the end',
    async () => {
      if (isOpen && performance.now() - start < 12_000) isOpen = await reading.read(128 * 1024)
      return !isOpen
    },
    15_000,
  )
  t.ok(reading.received() < large, `${reading.received()} bytes in ${Math.round(taken)} ms`)
  reading.destroy()
  hasStatus(t, await patient.post(`${filePath(id)}/restore`), 200)
  t.match(await sayings(patient, `${filePath(id)}/access-log`), 'broken_off')
})

/** A new file of the patient's, and where its bytes lie. */
async function placed(data: Buffer): Promise<{ path: string; blob: string }> {
  const before = new Set(await server.blobs())
  const path = filePath(await patient.file(data))
  const [blob = '', ...others] = (await server.blobs()).filter((each) => !before.has(each))
  if (others.length > 0) throw new Error('More than one blob for a file')
  return { path, blob }
}

async function flipBit(path: string, at: number, bit = 1): Promise<void> {
  const bytes = await server.sealed.read(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at)
  await server.sealed.write(path, bytes)
}

/** Nothing but true bytes came, and not all of them. */
async function isRefused(t: Test, path: string, data: Buffer): Promise<void> {
  const reading = await openReader(server.address, patient, path)
  const bytes = await reading.drain()
  reading.destroy()
  if (reading.status === 200) {
    t.equal(reading.length, data.length)
    t.ok(bytes.length < data.length, 'the answer was broken off')
    t.ok(bytes.equals(data.subarray(0, bytes.length)), 'and what came was true')
  } else {
    t.ok(reading.status >= 500, String(reading.status))
    t.notOk(bytes.includes(data.subarray(0, 200)))
    t.notMatch(bytes.toString(), /hmac|segment|label|damaged|stack/i, 'says nothing of its cause')
  }
  const event = 'failed'
  await eventually('the event', async () => {
    return (await sayings(patient, `${path}/access-log`)).includes(event)
  })
}

await t.test('one flipped bit', async (t) => {
  const data = pdf('flipped', 5 * segment)
  const { path, blob } = await placed(data)
  const { length } = await server.sealed.read(blob)
  for (const at of [0, 16, 31, 40, 60, 2 * segment, length - 1, length - 40]) {
    t.comment(`at ${at}`)
    await flipBit(blob, at)
    await isRefused(t, path, data)
    await flipBit(blob, at)
    hasBytes(t, await patient.get(path), data)
  }
  hasBytes(t, await patient.get(unharmed), bystander)
})

await t.test('a flipped bit harms only its segment: other ranges are served', async (t) => {
  const data = pdf('ranges', 5 * segment)
  const { path, blob } = await placed(data)
  await flipBit(blob, 3 * segment)
  const part = await patient.get(path, { range: 'bytes=0-99' })
  hasStatus(t, part, 206)
  t.ok(part.bytes.equals(data.subarray(0, 100)))
  const reading = await openReader(server.address, patient, path)
  t.ok((await reading.drain()).length < data.length)
  reading.destroy()
})

await t.test('a file of one segment is refused before its first byte', async (t) => {
  const data = pdf('small')
  const { path, blob } = await placed(data)
  await flipBit(blob, 200, 0x80)
  const answer = await patient.get(path)
  t.ok(answer.status >= 500)
  isProblem(t, answer, answer.status)
  await isRefused(t, path, data)
})

await t.test('cut, lengthened, exchanged and missing bytes', async (t) => {
  const [one, two] = [pdf('one', 3 * segment), pdf('two', 3 * segment)]
  const [first, second] = [await placed(one), await placed(two)]
  const { read, write, remove } = server.sealed
  const [sealedOne, sealedTwo] = [await read(first.blob), await read(second.blob)]
  const cutTo = (length: number) => write(first.blob, sealedOne.subarray(0, length))
  const wrongs: [string, () => Promise<void>][] = [
    ['cut by a byte', () => cutTo(sealedOne.length - 1)],
    ['cut by a segment', () => cutTo(32 + 2 * (segment + 105))],
    ['cut to its header', () => cutTo(32)],
    ['empty', () => cutTo(0)],
    ['lengthened', () => write(first.blob, Buffer.concat([sealedOne, Buffer.alloc(100)]))],
    ['another’s', () => write(first.blob, sealedTwo)],
    [
      'another’s after the header',
      () => {
        return write(first.blob, Buffer.concat([sealedOne.subarray(0, 32), sealedTwo.subarray(32)]))
      },
    ],
    ['missing', () => remove(first.blob)],
  ]
  for (const [what, harm] of wrongs) {
    t.comment(what)
    await harm()
    await isRefused(t, first.path, one)
    await write(first.blob, sealedOne)
    hasBytes(t, await patient.get(first.path), one)
  }
  hasBytes(t, await patient.get(second.path), two)
  hasBytes(t, await patient.get(unharmed), bystander)
})

await t.test('readers who go away harm nobody', async (t) => {
  const path = filePath(await patient.file(pdf('left', 8 * mebibyte)))
  for (let n = 0; n < 30; n++) {
    const reading = await openReader(server.address, patient, path)
    await reading.read(1000)
    reading.destroy()
  }
  hasBytes(t, await patient.get(unharmed), bystander)
  t.equal(await server.stop(), 0)
})
