import { openAsBlob } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { formatted } from '../../client/scripts/formatted.js'
import { type OpenApi, openapiTypes } from '../../client/scripts/openapi-types.js'
import {
  ConnectionError,
  createClient,
  type Download,
  type DownloadProgress,
  IntegrityError,
  StrongroomError,
  type UploadProgress,
  type UploadSource,
} from '../../client/src/node.js'
import { jpeg, pdf, randomBytesOf, sha256, text } from './support/content.js'
import { eventually } from './support/eventually.js'
import { assign, personOf, recordType } from './support/people.js'
import { startServer } from './support/server.js'
import { spoilingProxy } from './support/spoiling-proxy.js'

// The client against the service: over a proxy that cuts connections and turns bits where it is told to.

const MiB = 1024 * 1024

const server = await startServer()
t.teardown(() => server.close())
const proxy = await spoilingProxy(server.address)
t.teardown(() => proxy.close())

const retry = { attempts: 4, baseMs: 20, mostMs: 5_000 }
const clientOf = (id: string, claims = {}) =>
  createClient({
    origin: proxy.origin,
    token: () => Promise.resolve(server.tokenOf(id, claims)),
    retry,
  })

async function listOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const each of list) all.push(each)
  return all
}

async function bytesOf({ stream }: Download): Promise<Buffer> {
  const reader = stream.getReader()
  const pieces: Uint8Array[] = []
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(pieces)
    pieces.push(value)
  }
}

const inPieces = (data: Buffer, size = 65_536): Buffer[] =>
  Array.from({ length: Math.ceil(data.length / size) }, (_, i) =>
    data.subarray(i * size, (i + 1) * size),
  )

/** Its file's bytes, read past the client. */
async function isStored(t: Test, id: string, user: string, data: Buffer): Promise<void> {
  const { bytes } = await personOf(server, user).get(`/api/files/${id}`)
  t.ok(bytes.equals(data), 'what is stored is what was sent')
}

const isCode = (code: string) => (error: unknown) =>
  error instanceof StrongroomError && error.code === code

async function fails(t: Test, work: Promise<unknown>, as: (error: unknown) => boolean, what = '') {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.ok(as(error), `${what} fails as it should: ${String(error)}`)
  return error
}

await t.test('the types are those of the service', async (t) => {
  const document = JSON.parse((await server.call('/api/openapi.json')).text) as OpenApi
  const made = await formatted(openapiTypes(document))

  const kept = await readFile(new URL('../../client/src/openapi.ts', import.meta.url), 'utf8')
  t.ok(made === kept, 'client/src/openapi.ts is fresh; else: npm run client:types')
})

await t.test('what can be uploaded', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-client-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const onDisk = async (data: Buffer) => {
    await writeFile(join(folder, 'scan'), data)
    return await openAsBlob(join(folder, 'scan'), { type: 'application/pdf' })
  }
  const sources: Readonly<Record<string, (data: Buffer) => UploadSource | Promise<UploadSource>>> =
    {
      Blob: (data) => new Blob([new Uint8Array(data)], { type: 'application/pdf' }),
      File: (data) => new File([new Uint8Array(data)], 'scan.pdf', { type: 'application/pdf' }),
      'a file on disk': onDisk,
      Buffer: (data) => data,
      Uint8Array: (data) => new Uint8Array(data),
      'a Node stream': (data) => Readable.from(inPieces(data)),
      'a web stream': (data) => new Blob([new Uint8Array(data)]).stream(),
      'an async iterable': (data) => Readable.from(inPieces(data, 1000)).iterator(),
      'a function that opens one': (data) => () => Readable.from(inPieces(data)),
    }
  const { files } = clientOf('sender')
  for (const [kind, of] of Object.entries(sources)) {
    const data = pdf(kind, 3 * MiB + 17)
    const progress: UploadProgress[] = []
    const file = await files.upload(await of(data), {
      size: data.length,
      label: kind,
      notes: 'two\nlines "quoted"',
      onProgress: (each) => progress.push(each),
    })
    t.equal(file.sha256, sha256(data), `${kind}: the digest`)
    t.equal(file.content_type, 'application/pdf')
    t.match(await files.metadata(file.file_id), { label: kind, notes: 'two\nlines "quoted"' })
    await isStored(t, file.file_id, 'sender', data)
    t.same(progress[0], { sent: 0, total: data.length })
    t.same(progress.at(-1), { sent: data.length, total: data.length }, 'progress adds up')
    t.ok(progress.length > 2, 'in steps')
    t.ok(
      progress.every(({ sent }, i) => sent >= (progress[i - 1]?.sent ?? 0)),
      'that never go back',
    )
  }
  t.match(await listOf(files.list({ pageSize: 1 })), { length: Object.keys(sources).length })
})

await t.test('names and types', async (t) => {
  const { files } = clientOf('names')
  const filename = 'Befund "März" 50% 検査.txt'
  const { file_id: id } = await files.upload(text('names'), { filename, contentType: 'text/plain' })
  const got = await files.download(id)
  t.match(got, { filename, contentType: /^text\/plain/, size: text('names').length })
  t.ok((await bytesOf(got)).equals(text('names')))
  const named = new File([new Uint8Array(pdf('named'))], 'named.pdf')
  t.equal((await files.upload(named)).filename, 'named.pdf')
  await fails(t, files.upload(text('x'), { contentType: 'text/plain\r\nx: y' }), (error) => {
    return error instanceof TypeError
  })
})

await t.test('the service says no', async (t) => {
  const { files } = clientOf('refused')
  const data = pdf('refused')
  const { file_id: id } = await files.upload(data)
  const error = await fails(t, files.upload(data), isCode('duplicate_file'))
  t.match(error, { status: 409, extra: { file_id: id }, requestId: /\S/ })
  await fails(t, files.upload(Buffer.from('MZ\x90\0')), isCode('type_not_allowed'))
  await fails(t, files.metadata('no-such-file'), isCode('not_found'))
  for (const step of ['..', '.', '']) {
    await fails(t, files.metadata(step), (each) => each instanceof TypeError, `the id "${step}"`)
  }
  const stranger = createClient({ origin: proxy.origin, token: 'not-a-token', retry })
  const refused = await fails(t, stranger.files.upload(pdf('refused', 4 * MiB)), (each) =>
    isCode('unauthenticated')(each),
  )
  t.notMatch(String(refused), 'not-a-token')
  const nobody = createClient({ origin: 'http://127.0.0.1:1', token: 'x', retry })
  await fails(t, nobody.files.metadata(id), (each) => each instanceof ConnectionError)
  await fails(t, nobody.files.upload(data), (each) => each instanceof ConnectionError)
})

await t.test('a wrong digest is found', async (t) => {
  const { files } = clientOf('digests')
  const data = pdf('digests', MiB)
  const wrong = { sha256: sha256(Buffer.from('another')) }
  await fails(t, files.upload(data, wrong), isCode('digest_mismatch'), 'one given')
  const happened = proxy.happened()
  proxy.spoil({ way: 'up', how: 'flip', after: MiB / 2 })
  await fails(t, files.upload(data), isCode('digest_mismatch'), 'a bit turned on the way')
  t.equal(proxy.happened(), happened + 1)
  t.same(await listOf(files.list()), [], 'nothing was kept')
  const right = sha256(data).toUpperCase()
  const { file_id: id } = await files.upload(Readable.from(inPieces(data)), { sha256: right })
  proxy.spoil({ way: 'down', how: 'flip', after: MiB / 2 })
  const isWrong = (error: unknown) => error instanceof IntegrityError && error.reason === 'digest'
  await fails(t, bytesOf(await files.download(id)), isWrong, 'a bit turned on the way back')
})

await t.test('an upload that was cancelled leaves nothing', async (t) => {
  const { files } = clientOf('canceller')
  const before = await server.blobs()
  const data = pdf('cancelled', 8 * MiB)
  let opened = 0
  let closed = 0
  async function* slowly() {
    opened++
    try {
      for (const piece of inPieces(data)) {
        await wait(5)
        yield piece
      }
    } finally {
      closed++
    }
  }
  for (const source of [slowly(), () => slowly()]) {
    const stop = new AbortController()
    const reason = new Error('The person went away')
    const work = files.upload(source, {
      signal: stop.signal,
      onProgress: ({ sent }) => {
        if (sent > MiB) stop.abort(reason)
      },
    })
    await fails(t, work, (error) => error === reason)
  }
  await eventually('the stream is closed', () => closed === 2)
  t.equal(opened, 2, 'no attempt more')
  const aborted = files.upload(data, { signal: AbortSignal.abort(new Error('before')) })
  await fails(t, aborted, (error) => String(error) === 'Error: before')
  await eventually('the bytes are gone', async () => {
    return (await server.blobs()).length === before.length
  })
  t.same(await listOf(files.list()), [])
})

await t.test(
  'a source that fails is not tried again, and its error is what is thrown',
  async (t) => {
    const { files } = clientOf('failing')
    let opened = 0
    const own = new Error('The disk is gone')
    const source = async function* () {
      opened++
      yield await Promise.resolve(pdf('failing', MiB))
      throw own
    }
    await fails(t, files.upload(source), (error) => error === own)
    t.equal(opened, 1)
    t.same(await listOf(files.list()), [])
  },
)

await t.test('across a connection that is cut one file comes of it', async (t) => {
  const { files } = clientOf('cut')
  const data = pdf('cut', 4 * MiB)
  const blob = new Blob([new Uint8Array(data)])
  let seen = 0
  for (const [what, source, spoiling] of [
    ['midway', blob, { way: 'up', after: 2 * MiB }],
    ['midway', () => Readable.from(inPieces(data)), { way: 'up', after: 3 * MiB }],
    ['as it answers', blob, { way: 'down', after: 0 }],
    ['in the answer', data, { way: 'down', after: 150 }],
  ] as const) {
    const happened = proxy.happened()
    proxy.spoil({ ...spoiling, how: 'cut' })
    const sent: number[] = []
    const file = await files.upload(source, { onProgress: (each) => sent.push(each.sent) })
    t.equal(proxy.happened(), happened + 1, `${what}: it was cut`)
    // Once more where the service has not noticed yet that the first went away.
    t.ok(sent.filter((each) => each === 0).length >= 2, 'sent again')
    t.match(await listOf(files.list()), [{ file_id: file.file_id }], 'one file')
    await isStored(t, file.file_id, 'cut', data)
    const [version] = await files.versions(file.file_id)
    t.equal(version?.version, 1)
    await files.delete(file.file_id)
    seen++
    t.match(await listOf(files.list({ deleted: true })), { length: seen })
  }
})

await t.test('who finds the service busy waits', async (t) => {
  const busy = await startServer({ MAX_CONCURRENT_UPLOADS: '1' })
  t.teardown(() => busy.close())
  const { files } = createClient({
    ...{ origin: busy.origin, token: busy.tokenOf('busy') },
    retry: { attempts: 9, baseMs: 500 },
  })
  const slow = async function* () {
    for (const piece of inPieces(pdf('slow', MiB))) {
      await wait(50)
      yield piece
    }
  }
  const [first, second] = await Promise.all([
    files.upload(slow),
    wait(200).then(() => files.upload(pdf('second'))),
  ])
  t.match(await listOf(files.list()), [{ file_id: second.file_id }, { file_id: first.file_id }])
})

await t.test('a stream that was read from is not sent again', async (t) => {
  const { files } = clientOf('once')
  const data = pdf('once', 4 * MiB)
  proxy.spoil({ way: 'up', how: 'cut', after: MiB })
  const error = await fails(
    t,
    files.upload(Readable.from(inPieces(data))),
    (each) => each instanceof ConnectionError,
  )
  t.notMatch(String(error), proxy.origin)
  t.same(await listOf(files.list()), [])
})

await t.test('ranges', async (t) => {
  const { files } = clientOf('ranges')
  const data = jpeg('ranges', MiB + 5)
  const { file_id: id } = await files.upload(data)
  for (const [range, from, to] of [
    [{ start: 0, end: 1 }, 0, 1],
    [{ start: 1000, end: 700_000 }, 1000, 700_000],
    [{ start: MiB }, MiB, data.length],
    [{ start: 17, end: 2 * MiB }, 17, data.length],
    [{ start: 0 }, 0, data.length],
  ] as const) {
    const progress: DownloadProgress[] = []
    const got = await files.download(id, { range, onProgress: (each) => progress.push(each) })
    t.match(got, { size: to - from, fileSize: data.length, sha256: sha256(data) })
    t.ok((await bytesOf(got)).equals(data.subarray(from, to)), `${from} to ${to}`)
    t.same(progress.at(-1), { received: to - from, total: to - from })
  }
  await fails(t, files.download(id, { range: { start: 2 * MiB } }), isCode('range_not_satisfiable'))
  await fails(t, files.download(id, { range: { start: 5, end: 5 } }), (error) => {
    return error instanceof RangeError
  })
  const viewed = await files.download(id, { view: true, version: 1 })
  t.ok((await bytesOf(viewed)).equals(data))
  const actions = (await listOf(files.accessLog(id))).map(({ action }) => action)
  t.ok(actions.includes('file.view'), 'a view is on record as one')
})

await t.test('a download that is cut goes on, byte for byte', async (t) => {
  const { files } = clientOf('resumed')
  const data = pdf('resumed', 6 * MiB + 3)
  const { file_id: id } = await files.upload(data)
  for (const [range, cuts] of [
    [undefined, [MiB]],
    [undefined, [0, 100, 2 * MiB, 3 * MiB]],
    [{ start: 12_345, end: 5 * MiB }, [3 * MiB, MiB]],
  ] as const) {
    const before = proxy.happened()
    proxy.spoil(...cuts.map((after) => ({ way: 'down', how: 'cut', after }) as const))
    const received: number[] = []
    const got = await files.download(id, {
      range,
      onProgress: (each) => received.push(each.received),
    })
    const { start = 0, end = data.length } = range ?? {}
    t.ok((await bytesOf(got)).equals(data.subarray(start, end)), 'the same bytes')
    t.equal(proxy.happened(), before + cuts.length, `it was cut ${cuts.length} times`)
    t.equal(received.at(-1), end - start)
    t.ok(
      received.every((each, i) => each >= (received[i - 1] ?? 0)),
      'none is counted twice',
    )
  }
})

await t.test('a download does not go on with another version', async (t) => {
  const { files } = clientOf('changed')
  const person = personOf(server, 'changed')
  const { file_id: id } = await files.upload(pdf('changed', 8 * MiB))
  const got = await files.download(id)
  const reader = got.stream.getReader()
  await reader.read()
  const part = { name: 'file', data: pdf('changed again', 8 * MiB), filename: 'x.pdf' }
  const put = await person.form(`/api/files/${id}/content`, [part], { method: 'PUT' })
  t.equal(put.status, 200)
  proxy.spoil({ way: 'down', how: 'cut', after: 0 })
  const rest = async () => {
    for (;;) if ((await reader.read()).done) return
  }
  const isChanged = (error: unknown) => {
    return error instanceof IntegrityError && error.reason === 'changed'
  }
  await fails(t, rest(), isChanged)
})

await t.test('a download ends where the right to read does', async (t) => {
  const { files } = clientOf('gone')
  const { file_id: id } = await files.upload(pdf('gone', 8 * MiB))
  const reader = (await files.download(id)).stream.getReader()
  await reader.read()
  await files.delete(id)
  proxy.spoil({ way: 'down', how: 'cut', after: 0 })
  const rest = async () => {
    for (;;) if ((await reader.read()).done) return
  }
  await fails(t, rest(), isCode('not_found'))
})

await t.test('a download is cancelled', async (t) => {
  const { files } = clientOf('leaver')
  const { file_id: id } = await files.upload(pdf('leaver', 16 * MiB))
  const stop = new AbortController()
  const got = await files.download(id, { signal: stop.signal })
  const reader = got.stream.getReader()
  await reader.read()
  stop.abort(new Error('enough'))
  await fails(t, reader.read(), (error) => String(error) === 'Error: enough')
  const other = await files.download(id)
  await other.stream.cancel()
  t.pass('a stream that is cancelled lets go')
})

await t.test('lists, page by page', async (t) => {
  const { files } = clientOf('lister')
  const ids: string[] = []
  for (let i = 0; i < 7; i++) ids.unshift((await files.upload(text(`lister ${i}`))).file_id)
  for (const pageSize of [1, 3, 7, undefined]) {
    const listed = await listOf(files.list({ pageSize }))
    t.same(
      listed.map(({ file_id }) => file_id),
      ids,
      `${pageSize ?? 'many'} at a time`,
    )
  }
  for await (const each of files.list({ pageSize: 2 })) {
    t.equal(each.file_id, ids[0], 'who stops early asks no more')
    break
  }
  const [id = ''] = ids
  t.equal((await files.update(id, { label: 'first' })).label, 'first')
  t.match(await files.delete(id), { file_id: id, purge_after: /^\d{4}-/ })
  t.match(await listOf(files.list({ deleted: true })), [{ file_id: id }])
  t.equal((await files.restore(id)).file_id, id)
  t.same(await files.check({ sha256: sha256(text('lister 0')), size: text('lister 0').length }), {
    exists: true,
    file_id: ids.at(-1),
  })
  const log = (await listOf(files.accessLog(id, { pageSize: 1 }))).map(({ action }) => action)
  t.ok(log.includes('file.upload') && log.includes('file.delete'), `the log: ${log.join(' ')}`)
  await fails(t, listOf(files.list({ pageSize: 0 })), (error) => error instanceof RangeError)
})

await t.test('medical records', async (t) => {
  const admin = personOf(server, 'root', { role: 'admin' })
  const [patient, clinician, other] = ['patient-1', 'dr-1', 'dr/2'].map((id) =>
    personOf(server, id, { role: id.startsWith('dr') ? 'clinician' : 'patient' }),
  )
  if (patient === undefined || clinician === undefined || other === undefined) throw new Error('no')
  await assign(admin, clinician, patient)
  const medicalRecordTypeId = await recordType(admin)
  const { records } = clientOf(clinician.id, { role: 'clinician' })
  const own = clientOf(patient.id, { role: 'patient' }).records
  const data = pdf('record', 2 * MiB)
  const wish = { patientId: patient.id, medicalRecordTypeId }
  proxy.spoil({ way: 'down', how: 'cut', after: 0 })
  const record = await records.upload(new Blob([new Uint8Array(data)]), wish)
  t.match(record, { patient_id: patient.id, sha256: sha256(data) })
  const { file_id: id } = record
  t.match(await listOf(own.list({ pageSize: 1 })), [{ record_id: record.record_id }])
  t.match(await listOf(own.list({ ...wish, from: new Date(0), to: new Date(0) })), [])
  t.ok((await bytesOf(await own.download(id))).equals(data))
  t.match(await own.metadata(id), { uploader_id: clinician.id })
  t.ok((await own.types()).some((each) => each.id === medicalRecordTypeId))

  t.match(await own.share(id, { user_id: other.id, purpose: 'a second opinion' }), {
    basis: 'explicit',
  })
  const theirs = clientOf(other.id, { role: 'clinician' }).records
  t.ok((await bytesOf(await theirs.download(id, { view: true }))).equals(data))
  const { url } = await clientOf(other.id, { role: 'clinician' }).tickets.issue({
    ...{ fileId: id, action: 'view' },
  })
  t.equal((await fetch(url, { method: 'HEAD' })).status, 200)
  await own.share(id, { user_id: other.id, can_download: false })
  await fails(t, theirs.download(id), isCode('download_not_granted'))
  t.ok((await bytesOf(await theirs.download(id, { view: true }))).equals(data))
  t.equal((await fetch(url)).status, 200, 'to view takes no right to download')
  const holders = (await listOf(own.grants(id))).map(({ user_id }) => user_id).sort()
  t.same(holders, [clinician.id, other.id, patient.id].sort())
  await own.revoke(id, other.id)
  await fails(t, theirs.metadata(id), isCode('not_found'))
  await fails(t, own.revoke(id, '..'), (error) => error instanceof TypeError)
  const actors = (await listOf(own.accessLog(id, { pageSize: 2 }))).map(({ actor_id }) => actor_id)
  t.ok(actors.includes(other.id), 'the patient sees who read it')
  t.ok((await listOf(own.myAccessLog({ pageSize: 3 }))).length > 3)
  await fails(t, own.delete(id), isCode('patient_cannot_delete'))
  t.equal((await records.delete(id)).file_id, id)
  t.equal((await records.restore(id)).file_id, id)
})

await t.test('tickets', async (t) => {
  const { files, tickets } = clientOf('holder')
  const data = pdf('holder')
  const { file_id: fileId } = await files.upload(data)
  const ticket = await tickets.issue({ fileId, action: 'view', expirySeconds: 60 })
  const answer = await fetch(ticket.url)
  t.equal(answer.status, 200)
  t.ok(Buffer.from(await answer.arrayBuffer()).equals(data), 'a token is not needed')
  await tickets.end(ticket.ticket_id)
  t.equal((await fetch(ticket.url)).status, 410)
})

await t.test('direct uploads', async (t) => {
  const { documents } = clientOf('direct')
  const facts = { filename: 'scan.pdf', contentType: 'application/pdf' }
  for (const [what, of, spoiling] of [
    ['a Blob', (data: Buffer) => new Blob([new Uint8Array(data)]), undefined],
    ['a stream', (data: Buffer) => Readable.from(inPieces(data)), undefined],
    ['cut midway', (data: Buffer) => data, { way: 'up', how: 'cut', after: MiB }],
  ] as const) {
    const data = pdf(`direct ${what}`, 2 * MiB + 1)
    if (spoiling !== undefined) proxy.spoil(spoiling)
    const progress: UploadProgress[] = []
    const document = await documents.upload(of(data), {
      ...facts,
      size: data.length,
      onProgress: (each) => progress.push(each),
    })
    t.match(document, { filename: 'scan.pdf', size: data.length, sha256: sha256(data) }, what)
    t.same(progress.at(-1), { sent: data.length, total: data.length })
    t.match((await listOf(documents.list({ pageSize: 1 })))[0], { id: document.id })
    const { url } = await documents.downloadUrl(document.id)
    const answer = await fetch(url)
    t.ok(Buffer.from(await answer.arrayBuffer()).equals(data))
    proxy.spoil({ way: 'down', how: 'cut', after: MiB })
    t.ok((await bytesOf(await documents.download(document.id))).equals(data))
  }
  const count = (await listOf(documents.list())).length
  t.equal(count, 3)
  await fails(t, documents.upload(pdf('x'), { contentType: 'application/pdf' }), (error) => {
    return error instanceof TypeError
  })
  const wrong = { ...facts, sha256: sha256(Buffer.from('another')) }
  await fails(t, documents.upload(pdf('wrong'), wrong), isCode('digest_mismatch'))
  const stop = new AbortController()
  const cancelled = documents.upload(pdf('cancelled direct', 8 * MiB), {
    ...facts,
    signal: stop.signal,
    onProgress: ({ sent }) => {
      if (sent > MiB) stop.abort(new Error('enough'))
    },
  })
  await fails(t, cancelled, (error) => String(error) === 'Error: enough')
  t.equal((await listOf(documents.list())).length, count)
})

await t.test('a direct upload whose answer was lost is confirmed', async (t) => {
  const { documents } = clientOf('unheard')
  const data = pdf('unheard', MiB)
  let isCut = false
  let attempts = 0
  const document = await documents.upload(data, {
    ...{ filename: 'scan.pdf', contentType: 'application/pdf' },
    onProgress: ({ sent }) => {
      if (sent === 0) attempts++
      if (sent < data.length || isCut) return
      isCut = true
      proxy.spoil({ way: 'down', how: 'cut', after: 0 })
    },
  })
  t.equal(attempts, 2, 'the second finds the place filled')
  t.match(document, { sha256: sha256(data) })
  t.match(await listOf(documents.list()), { length: 1 })
})

await t.test('a bit turned in a direct upload is found', async (t) => {
  const { documents } = clientOf('turned')
  const data = pdf('turned', 2 * MiB)
  proxy.spoil({ way: 'up', how: 'flip', after: MiB })
  const facts = { filename: 'scan.pdf', contentType: 'application/pdf' }
  await fails(t, documents.upload(data, facts), isCode('digest_mismatch'))
  t.same(await listOf(documents.list()), [])
})

await t.test('direct uploads in parts', async (t) => {
  const { documents } = clientOf('parts')
  const facts = { filename: 'scan.pdf', contentType: 'application/pdf', partBytes: 5 * MiB }
  for (const [what, of, spoiling] of [
    ['bytes', (data: Buffer) => data, undefined],
    ['a Blob', (data: Buffer) => new Blob([new Uint8Array(data)]), undefined],
    ['cut midway', (data: Buffer) => data, { way: 'up', how: 'cut', after: MiB }],
    ['unheard', (data: Buffer) => data, { way: 'down', how: 'cut', after: 0 }],
  ] as const) {
    const data = pdf(`parts ${what}`, 11 * MiB + 1)
    if (spoiling !== undefined) proxy.spoil(spoiling)
    const progress: UploadProgress[] = []
    const document = await documents.uploadInParts(of(data), {
      ...facts,
      sha256: sha256(data),
      onProgress: (each) => progress.push(each),
    })
    t.match(document, { filename: 'scan.pdf', size: data.length, sha256: sha256(data) }, what)
    t.same(progress.at(-1), { sent: data.length, total: data.length })
    t.ok((await bytesOf(await documents.download(document.id))).equals(data))
  }
  t.equal((await listOf(documents.list())).length, 4)
  const small = await documents.uploadInParts(pdf('small'), facts)
  t.match(small, { sha256: sha256(pdf('small')) }, 'one part is a whole')
  const wrong = { ...facts, sha256: sha256(Buffer.from('another')) }
  await fails(t, documents.uploadInParts(pdf('wrong'), wrong), isCode('digest_mismatch'))
  const tiny = { ...facts, partBytes: MiB }
  await fails(t, documents.uploadInParts(pdf('x'), tiny), (error) => error instanceof RangeError)
})

await t.test('an upload in parts is gone on with, or given up', async (t) => {
  const { documents } = clientOf('resumed')
  const facts = { filename: 'scan.pdf', contentType: 'application/pdf', partBytes: 5 * MiB }
  const data = pdf('resumed', 16 * MiB)
  const cancelled = async () => {
    const stop = new AbortController()
    let uploadId = ''
    const upload = documents.uploadInParts(data, {
      ...{ ...facts, parallel: 1, signal: stop.signal },
      onBegun: (id) => {
        uploadId = id
      },
      onProgress: ({ sent }) => {
        if (sent > 11 * MiB) stop.abort(new Error('enough'))
      },
    })
    await fails(t, upload, (error) => String(error) === 'Error: enough')
    return uploadId
  }
  const uploadId = await cancelled()
  t.match((await documents.received(uploadId)).parts, [{ partNumber: 1 }, { partNumber: 2 }])
  const progress: UploadProgress[] = []
  const document = await documents.uploadInParts(data, {
    ...{ ...facts, uploadId },
    onProgress: (each) => progress.push(each),
  })
  t.match(document, { id: uploadId, sha256: sha256(data) })
  t.match(progress[1], { sent: 10 * MiB }, 'what has come is not sent again')
  const left = await cancelled()
  await documents.abandon(left)
  await documents.abandon(left)
  await fails(t, documents.received(left), isCode('ticket_over'))
  t.match(await listOf(documents.list()), { length: 1 })
})

await t.test('a bit turned in a part is found', async (t) => {
  const { documents } = clientOf('turned part')
  proxy.spoil({ way: 'up', how: 'flip', after: MiB })
  const facts = { filename: 'scan.pdf', contentType: 'application/pdf' }
  let uploadId = ''
  const upload = documents.uploadInParts(pdf('turned part', 6 * MiB), {
    ...facts,
    onBegun: (id) => {
      uploadId = id
    },
  })
  await fails(t, upload, isCode('digest_mismatch'))
  t.same((await documents.received(uploadId)).parts, [], 'it is not taken for the part')
  t.same(await listOf(documents.list()), [])
})

await t.test('memory does not grow with the file', async (t) => {
  const { files } = clientOf('large')
  const piece = randomBytesOf('large', MiB)
  const head = pdf('large', 1000)
  async function* large() {
    yield head
    for (let i = 0; i < 90; i++) yield await Promise.resolve(piece)
  }
  const before = process.memoryUsage().rss
  const { file_id: id, size } = await files.upload(large)
  t.equal(size, 1000 + 90 * MiB)
  const got = await files.download(id)
  let received = 0
  const reader = got.stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    received += value.length
  }
  t.equal(received, size)
  const grown = (process.memoryUsage().rss - before) / MiB
  t.ok(grown < 60, `${Math.round(grown)} MiB more`)
})
