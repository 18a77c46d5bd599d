import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { type RequestOptions, request as requestTls } from 'node:https'
import { join } from 'node:path'
import { buffer, json } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { filePart, multipart } from '../acceptance/support/multipart.js'
import { filePath, personOf, uploadPath } from '../acceptance/support/people.js'
import { startServer } from '../acceptance/support/server.js'
import { ownNginx, peakMemoryOf, siteName } from './support/own-nginx.js'

// The service behind the real nginx, set as deploy/nginx/strongroom.conf has it.

const listPath = '/api/files/user'
const mebibyte = 1024 * 1024
const whole = 1024 * mebibyte

const server = await startServer({
  MAX_FILE_SIZE_MB: '2048',
  TRUST_PROXY: '1',
  REQUIRE_HTTPS: 'true',
  ALLOWED_HOSTS: siteName,
  // For the client of this test, which holds on in the middle of an upload.
  UPLOAD_IDLE_SECONDS: '120',
})
const nginx = await ownNginx(server.address.port)
// One that takes little.
const small = await startServer({ MAX_FILE_SIZE_MB: '1', TRUST_PROXY: '1' })
const strict = await ownNginx(small.address.port)
t.teardown(async () => {
  for (const each of [nginx, strict, server, small]) await each.close()
})
const anna = personOf(server, 'anna')
const authorization = `Bearer ${anna.token}`

type Headers = Readonly<Record<string, string>>
interface Ask extends Omit<RequestOptions, 'headers'> {
  readonly headers?: Headers
}

function ask(path: string, options: Ask = {}): ClientRequest {
  return requestTls({
    host: '127.0.0.1',
    port: nginx.port,
    servername: siteName,
    ca: nginx.certificate,
    agent: false,
    path,
    ...options,
    headers: { host: siteName, authorization, ...options.headers },
  })
}

async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  return answer
}

async function get(path: string, headers: Headers = {}) {
  const request = ask(path, { headers })
  request.end()
  const answer = await answerTo(request)
  return { status: answer.statusCode, headers: answer.headers, bytes: await buffer(answer) }
}

/** The bytes of a PDF of `whole` bytes, made as they are asked for. */
function* largePdf(): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16))
  const zeros = Buffer.alloc(mebibyte)
  const header = Buffer.from('%PDF-1.7\n')
  for (let at = 0; at < whole; at += mebibyte) {
    const piece = cipher.update(zeros)
    if (at === 0) header.copy(piece)
    yield piece
  }
}

/** The form of an upload without its bytes: what stands before them, and behind. */
function formAround() {
  const { headers, body, offsets } = multipart([filePart(Buffer.alloc(0))])
  const at = offsets[0] ?? 0
  return { headers, before: body.subarray(0, at), after: body.subarray(at) }
}

async function send(request: ClientRequest, bytes: Buffer): Promise<void> {
  if (!request.write(bytes)) await once(request, 'drain')
}

/** How many sealed bytes the service has on its disk. */
async function stored(): Promise<number> {
  const entries = await readdir(server.filesDir, { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ parentPath, name }) => {
        const found = await stat(join(parentPath, name)).catch(() => undefined)
        return found?.size ?? 0
      }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function serviceProcess(): Promise<number> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const [command, environment] = await Promise.all(
      ['cmdline', 'environ'].map((file) =>
        readFile(`/proc/${name}/${file}`, 'utf8').catch(() => ''),
      ),
    )
    const isOurs = environment?.includes(`DATA_DIR=${server.dataDir}\0`) === true
    if (isOurs && command?.includes('dist/main.js') === true) return Number(name)
  }
  throw new Error('The service has no process')
}

/** Looks again and again, as long as something is under way, at what nginx keeps on its disk. */
async function watchingDisk<T>(work: () => Promise<T>): Promise<{ result: T; seen: string[] }> {
  const seen: string[] = []
  let isOver = false
  const watch = async () => {
    while (!isOver) {
      seen.push(...(await nginx.temporaryFiles()))
      await wait(20)
    }
  }
  const watched = watch()
  try {
    return { result: await work(), seen }
  } finally {
    isOver = true
    await watched
  }
}

let fileId = ''
let digest = ''

await t.test('nginx takes the configuration as it stands', (t) => {
  t.match(nginx.verdict, /syntax is ok/)
  t.notMatch(nginx.verdict, /\[(warn|error|emerg)\]/)
  t.end()
})

await t.test('an upload of 1 GiB goes through as it comes', async (t) => {
  const { headers, before, after } = formAround()
  const length = before.length + whole + after.length
  const before64 = 64 * mebibyte
  const hash = createHash('sha256')
  const request = ask(uploadPath, {
    method: 'POST',
    headers: { ...headers, 'content-length': String(length) },
  })
  const answered = answerTo(request)
  const { result, seen } = await watchingDisk(async () => {
    await send(request, before)
    let [sent, waited] = [0, 0]
    for (const piece of largePdf()) {
      hash.update(piece)
      await send(request, piece)
      sent += piece.length
      if (sent === before64) {
        // Nothing is sent meanwhile: what the service has now, it has got before the rest was there.
        const enough = async () => (await stored()) > before64 / 2
        waited = await eventually('the service seals what was sent', enough, 60_000)
      }
    }
    request.end(after)
    await answered
    return waited
  })
  const answer = await answered
  const body = (await json(answer)) as { file_id: string; sha256: string; size: number }
  digest = hash.digest('hex')
  fileId = body.file_id
  t.comment(`the first 64 MiB were sealed ${Math.round(result)} ms after they were sent`)
  t.match({ status: answer.statusCode, ...body }, { status: 201, size: whole, sha256: digest })
  t.same(seen, [], 'nothing of it was on nginx’s disk')
})

await t.test(
  'it comes back as it was, whole and by ranges, and nothing is kept on the way',
  async (t) => {
    const hash = createHash('sha256')
    const request = ask(filePath(fileId))
    request.end()
    const answer = await answerTo(request)
    const { seen } = await watchingDisk(async () => {
      for await (const piece of answer) hash.update(piece as Buffer)
    })
    t.equal(answer.statusCode, 200)
    t.equal(hash.digest('hex'), digest)
    t.same(seen, [])
    const at = 700 * mebibyte
    const part = await get(filePath(fileId), { range: `bytes=${at}-${at + 99_999}` })
    let position = 0
    let expected: Uint8Array = new Uint8Array()
    for (const piece of largePdf()) {
      if (position === at) expected = piece.subarray(0, 100_000)
      position += piece.length
    }
    t.equal(part.status, 206)
    t.equal(part.headers['content-range'], `bytes ${at}-${at + 99_999}/${whole}`)
    t.ok(part.bytes.equals(expected))
  },
)

await t.test('neither needs memory for it', async (t) => {
  const [proxy, service] = [await nginx.peakMemory(), await peakMemoryOf(await serviceProcess())]
  t.comment(`at most: nginx ${proxy / mebibyte} MiB, the service ${service / mebibyte} MiB`)
  t.ok(proxy < 64 * mebibyte)
  t.ok(service < 640 * mebibyte)
})

/** Sends an upload of 512 MiB until there is an answer; what it is, and how much was sent by then. */
async function refusedUpload(port: number, token: string) {
  const { headers, before } = formAround()
  const request = ask(uploadPath, {
    method: 'POST',
    port,
    ca: port === nginx.port ? nginx.certificate : strict.certificate,
    headers: { ...headers, 'content-length': String(512 * mebibyte), authorization: token },
  })
  let [sent, isAnswered] = [0, false]
  const answered = answerTo(request).finally(() => {
    isAnswered = true
  })
  request.on('error', () => undefined)
  await send(request, before)
  for (const piece of largePdf()) {
    if (isAnswered || sent > 256 * mebibyte) break
    request.write(piece)
    sent += piece.length
    await wait(5)
  }
  const answer = await answered
  const { code } = (await json(answer)) as { code: string }
  request.destroy()
  return { status: answer.statusCode, code, sent }
}

await t.test('who is refused early is told, long before all is sent', async (t) => {
  const unknown = await refusedUpload(nginx.port, '')
  t.match(unknown, { status: 401 })
  const tooLarge = await refusedUpload(strict.port, `Bearer ${personOf(small, 'anna').token}`)
  t.match(tooLarge, { status: 413, code: 'file_too_large' })
  for (const { sent } of [unknown, tooLarge]) {
    t.ok(sent < 128 * mebibyte, `${sent / mebibyte} of 512 MiB had been sent`)
  }
  t.equal((await get('/health/live')).status, 200)
})

await t.test('a client that waits for 100 Continue gets it, and its answer', async (t) => {
  const { headers, body } = multipart([filePart(pdf('expect', 100_000))])
  const all = { ...headers, 'content-length': String(body.length), expect: '100-continue' }
  const request = ask(uploadPath, { method: 'POST', headers: all })
  request.flushHeaders()
  await once(request, 'continue')
  request.end(body)
  t.equal((await answerTo(request)).statusCode, 201)
})

await t.test('over HTTP/2', async (t) => {
  const session = connectHttp2(`https://127.0.0.1:${nginx.port}`, {
    ca: nginx.certificate,
    servername: siteName,
  })
  t.teardown(() => {
    session.close()
  })
  const { headers, body } = multipart([filePart(pdf('http2', 8 * mebibyte))])
  const stream = session.request({
    ':method': 'POST',
    ':path': uploadPath,
    ':authority': siteName,
    authorization,
    ...headers,
    'content-length': String(body.length),
  })
  stream.end(body)
  const [answer] = (await once(stream, 'response')) as [{ ':status': number }]
  const { size } = (await json(stream)) as { size: number }
  t.same([answer[':status'], size], [201, 8 * mebibyte])
})

await t.test(
  'the address on record is the one nginx saw, not the one a client claims',
  async (t) => {
    const action = 'file.list'
    const forged = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.8' }
    const request = ask(listPath, { localAddress: '127.0.0.2', headers: forged })
    request.end()
    t.equal((await answerTo(request)).statusCode, 200)
    const found = await get(`/api/v1/audit/my-activity?action=${action}`)
    const { events } = JSON.parse(found.bytes.toString()) as { events: { ip: string }[] }
    t.same(
      events.map(({ ip }) => ip),
      ['127.0.0.2'],
    )
  },
)

await t.test('the service is told of TLS, and of its name', async (t) => {
  const past = await server.call(listPath, { token: anna.token, headers: { host: siteName } })
  t.equal(past.body.code, 'https_required', 'past nginx it is refused')
  const other = await get(listPath, { host: 'elsewhere.example', 'x-forwarded-host': siteName })
  t.equal(other.status, 421)
  const plain = await fetch(`http://127.0.0.1:${nginx.plainPort}${listPath}`, {
    headers: { authorization },
  })
  t.equal(plain.status, 403, 'without TLS nothing is passed on')
})

await t.test('no ticket is in a log, and no metrics are served', async (t) => {
  const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA'
  await get(`${listPath}?ticket=${secret}`)
  await get(`/api/view/${secret}/report`)
  t.equal((await get('/metrics')).status, 404)
  const log = await nginx.log('access')
  t.notMatch(log, secret)
  t.match(log, '"path":"/api/view/-"')
  const lines = log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { request_id: string })
  t.ok(lines.every(({ request_id }) => typeof request_id === 'string'))
  t.equal(await nginx.log('error'), '')
})
