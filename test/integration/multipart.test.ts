import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { statusOf } from '../../src/errors/error-codes.js'
import { isStrongroomError, StrongroomError } from '../../src/errors/strongroom-error.js'
import { registerEarlyRefusal } from '../../src/http/multipart/early-refusal.js'
import { readUpload, type UploadLimits } from '../../src/http/multipart/read-upload.js'
import { registerExpectContinue } from '../../src/http/plugins/expect-continue.js'
import { registerMultipart } from '../../src/http/plugins/multipart.js'

interface SeenPart {
  name: string
  value?: string
  filename?: string | undefined
  contentType?: string
  contentDigest?: string | undefined
  size?: number
  sha256?: string
}

interface Options {
  limits?: Partial<UploadLimits>
  /** Instead of taking every part whole. */
  take?: (request: FastifyRequest, limits: UploadLimits) => Promise<SeenPart[]>
}

const usual: UploadLimits = {
  maxParts: 8,
  maxFields: 6,
  maxFieldBytes: 1_000,
  maxFiles: 3,
  maxSkippedBytes: 10_000_000,
  idleMs: 10_000,
  minBytesPerSecond: 1,
}

/** A server of these pieces only. `outcomes` has what each upload came to, in the server's eyes. */
async function serve(t: Test, { limits = {}, take = takeAll }: Options = {}) {
  const app = fastify({ forceCloseConnections: 'idle' })
  const outcomes: string[] = []
  let told = () => {
    /* nobody waits */
  }
  registerExpectContinue(app)
  registerEarlyRefusal(app)
  registerMultipart(app)
  app.setErrorHandler(async (error, _request, reply) => {
    const code = isStrongroomError(error) ? error.code : undefined
    const status = code === undefined ? (error as { statusCode?: number }).statusCode : undefined
    await reply.status(code === undefined ? (status ?? 500) : statusOf(code)).send({ code })
  })
  app.post('/upload', async (request) => {
    try {
      const parts = await take(request, { ...usual, ...limits })
      outcomes.push('complete')
      return { parts }
    } catch (error) {
      outcomes.push(isStrongroomError(error) ? error.code : String(error))
      throw error
    } finally {
      told()
    }
  })
  app.post('/json', (request) => ({ got: request.body }))
  const guarded = { onRequest: refuse }
  app.post('/forbidden', guarded, () => 'never')
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const outcome = async (count: number) => {
    while (outcomes.length < count) {
      await new Promise<void>((resolve) => {
        told = resolve
      })
    }
    return outcomes
  }
  return { app, port, outcomes, outcome }
}

function refuse(): Promise<never> {
  return Promise.reject(new StrongroomError('forbidden'))
}

async function takeAll(request: FastifyRequest, limits: UploadLimits): Promise<SeenPart[]> {
  const seen: SeenPart[] = []
  for await (const part of readUpload(request, limits)) {
    if (part.kind === 'field') {
      seen.push({ name: part.name, value: part.value })
      continue
    }
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of part.bytes) {
      hash.update(chunk)
      size += chunk.length
    }
    const { name, filename, contentType, contentDigest } = part
    seen.push({ name, filename, contentType, contentDigest, size, sha256: hash.digest('hex') })
  }
  return seen
}

const boundary = 'a-boundary'
const multipartType = `multipart/form-data; boundary=${boundary}`

function part(headers: string[], body: string | Buffer): Buffer {
  const head = `--${boundary}\r\n${headers.join('\r\n')}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from(body), Buffer.from('\r\n')])
}

function field(name: string, value: string, ...headers: string[]): Buffer {
  return part([`Content-Disposition: form-data; name="${name}"`, ...headers], value)
}

function file(body: string | Buffer, filename = 'a.pdf', ...headers: string[]): Buffer {
  const disposition = `Content-Disposition: form-data; name="file"; filename="${filename}"`
  return part([disposition, 'Content-Type: application/pdf', ...headers], body)
}

function form(...parts: Buffer[]): Buffer {
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)])
}

function head(path: string, ...headers: string[]): string {
  return [`POST ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n')
}

function chunked(body: Buffer, size: number): Buffer {
  const chunks: Buffer[] = []
  for (let i = 0; i < body.length; i += size) {
    const chunk = body.subarray(i, i + size)
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
  }
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')])
}

interface Answer {
  status: number
  head: string
  json: { code?: string; parts?: SeenPart[] }
}

class Client {
  private received = ''
  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (data: Buffer) => (this.received += data.toString('latin1')))
    socket.on('error', () => undefined)
  }

  static async to(port: number, allowHalfOpen = false): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
    await once(socket, 'connect')
    return new Client(socket)
  }

  get text(): string {
    return this.received
  }

  send(...data: (string | Buffer)[]): this {
    for (const piece of data) this.socket.write(piece)
    return this
  }

  /** The next final answer; an interim one stays in `text`. */
  async answer(): Promise<Answer> {
    for (;;) {
      const found = /HTTP\/1\.1 ([2-5]\d\d) [\s\S]*?\r\n\r\n/.exec(this.received)
      const length = Number(/content-length: (\d+)/i.exec(found?.[0] ?? '')?.[1] ?? 0)
      const start = found === null ? 0 : found.index + found[0].length
      if (found !== null && this.received.length >= start + length) {
        const body = Buffer.from(this.received.slice(start, start + length), 'latin1')
        const json = JSON.parse(body.toString()) as Answer['json']
        return { status: Number(found[1]), head: found[0], json }
      }
      if (this.socket.closed || this.socket.readableEnded)
        throw new Error(`no answer: ${this.text}`)
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')])
    }
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close')
  }

  destroy(): void {
    this.socket.destroy()
  }
}

async function post(port: number, body: Buffer, type = multipartType): Promise<Answer> {
  const client = await Client.to(port)
  const length = `Content-Length: ${body.length}`
  client.send(head('/upload', `Content-Type: ${type}`, length), body)
  const answer = await client.answer()
  client.destroy()
  return answer
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

void t.test('gives fields and files in order, in both framings, however they arrive', async (t) => {
  const { port } = await serve(t)
  const bytes = Buffer.concat([Buffer.from('\r\n--a-boundar\r\n\r\n'), Buffer.alloc(300, 7)])
  const body = form(
    field('label', 'Blood, März'),
    file(bytes, 'a.pdf', 'Content-Digest: sha-256=:AAAA:'),
    field('notes', ''),
    file('', 'b.pdf'),
    file('second', 'c.pdf', 'content-digest:  sha-512=:BB:  '),
    field('sha256', 'ff'),
  )
  const expected = [
    { name: 'label', value: 'Blood, März' },
    seenFile('a.pdf', bytes, 'sha-256=:AAAA:'),
    { name: 'notes', value: '' },
    seenFile('b.pdf', ''),
    seenFile('c.pdf', 'second', 'sha-512=:BB:'),
    { name: 'sha256', value: 'ff' },
  ]
  const type = `Content-Type: ${multipartType}`
  const whole = head('/upload', type, `Content-Length: ${body.length}`)
  const inChunks = head('/upload', type, 'Transfer-Encoding: chunked')
  for (const [name, request] of [
    ['content-length', Buffer.concat([Buffer.from(whole), body])],
    ['chunks of 1', Buffer.concat([Buffer.from(inChunks), chunked(body, 1)])],
    ['chunks of 37', Buffer.concat([Buffer.from(inChunks), chunked(body, 37)])],
  ] as const) {
    const client = await Client.to(port)
    const { status, json } = await client.send(request).answer()
    t.equal(status, 200, name)
    t.same(json.parts, expected, name)
    client.destroy()
  }
  const client = await Client.to(port)
  client.send(whole)
  for (const byte of body) {
    client.send(Buffer.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.same((await client.answer()).json.parts, expected, 'byte by byte')
  client.destroy()
})

function seenFile(filename: string, bytes: Buffer | string, contentDigest?: string): SeenPart {
  const size = Buffer.byteLength(bytes)
  const contentType = 'application/pdf'
  const digest = contentDigest === undefined ? {} : { contentDigest }
  return { name: 'file', filename, contentType, ...digest, size, sha256: sha256(bytes) }
}

void t.test('passes a large file whole', async (t) => {
  const { port } = await serve(t)
  const bytes = Buffer.alloc(24 * 1024 * 1024, 'strongroom\r\n--a-bound')
  const { json } = await post(port, form(file(bytes), field('label', 'after')))
  t.same(json.parts, [seenFile('a.pdf', bytes), { name: 'label', value: 'after' }])
})

void t.test('a preamble and an epilogue are no parts', async (t) => {
  const { port } = await serve(t)
  const body = Buffer.concat([
    Buffer.from('This is a form.\r\n'),
    form(file('bytes')),
    Buffer.from('That was it.'),
  ])
  t.same((await post(port, body)).json.parts, [seenFile('a.pdf', 'bytes')])
})

void t.test('a connection cut at any byte never gives a complete upload', async (t) => {
  const { port, outcome } = await serve(t)
  const body = form(field('label', 'x'), file('%PDF-1.7 bytes'), field('sha256', 'abc'))
  const framings = [
    { body, headers: [`Content-Length: ${body.length}`] },
    { body: chunked(body, 60), headers: ['Transfer-Encoding: chunked'] },
  ]
  let count = 0
  for (const { body, headers } of framings) {
    for (let cut = 0; cut < body.length; cut++) {
      const client = await Client.to(port)
      client.send(head('/upload', `Content-Type: ${multipartType}`, ...headers))
      client.socket.end(body.subarray(0, cut))
      const outcomes = await outcome(++count)
      if (outcomes[count - 1] !== 'body_incomplete') {
        t.fail(`cut at ${cut} of ${headers.join()}: ${outcomes[count - 1]}`)
      }
      client.destroy()
    }
  }
  t.equal(
    count,
    framings.reduce((sum, { body }) => sum + body.length, 0),
  )
})

void t.test('a form that ends at any byte before its last delimiter is incomplete', async (t) => {
  const { port } = await serve(t)
  const body = form(field('label', 'x'), file('%PDF-1.7 bytes'), field('sha256', 'abc'))
  const complete = body.length - 2
  for (let cut = 0; cut <= body.length; cut++) {
    const { status, json } = await post(port, body.subarray(0, cut))
    const expected = cut >= complete ? [200, undefined] : [400, 'body_incomplete']
    if (status !== expected[0] || json.code !== expected[1]) {
      t.fail(`ends at ${cut} of ${body.length}: ${status} ${json.code ?? ''}`)
    }
  }
})

void t.test('file names arrive as they were meant', async (t) => {
  const { port } = await serve(t, { limits: { maxParts: 20, maxFiles: 20 } })
  const names = [
    ['filename="تقرير المختبر.pdf"', 'تقرير المختبر.pdf'],
    ['filename="📄🩺.pdf"', '📄🩺.pdf'],
    ['filename="a %22quoted%22 name.pdf"', 'a "quoted" name.pdf'],
    ['filename="two%0D%0Alines.pdf"', 'two\r\nlines.pdf'],
    ['filename="100%25 %20 %0d.pdf"', '100%25 %20 %0d.pdf'],
    ['filename="C:\\\\fakepath\\\\x-ray.pdf"', 'x-ray.pdf'],
    ['filename="../../etc/passwd"', 'passwd'],
    ['filename=plain.pdf', 'plain.pdf'],
    ["filename*=UTF-8''%e2%82%ac%20rates.pdf", '€ rates.pdf'],
    ['filename=""', undefined],
  ] as const
  const parts = names.map(([parameter]) =>
    part([`Content-Disposition: form-data; name="file"; ${parameter}`], 'x'),
  )
  const { json } = await post(port, form(...parts))
  t.same(
    json.parts?.map((seen) => seen.filename),
    names.map(([, name]) => name),
  )
})

void t.test('refuses what is not a well-formed form within its limits', async (t) => {
  const { port } = await serve(t)
  const long = 'x'.repeat(1_001)
  const many = (n: number, make: (i: number) => Buffer) =>
    Array.from({ length: n }, (_, i) => make(i))
  const odd = (...headers: string[]) => form(part(headers, 'x'), file('x'))
  const cases: [name: string, body: Buffer, code: string | undefined][] = [
    ['as many fields as allowed', form(...many(6, (i) => field(`f${i}`, 'x'))), undefined],
    ['one field more', form(...many(7, (i) => field(`f${i}`, 'x'))), 'too_many_parts'],
    ['as many files as allowed', form(...many(3, () => file('x'))), undefined],
    ['one file more', form(...many(4, () => file('x'))), 'too_many_parts'],
    [
      'one part more',
      form(...many(6, (i) => field(`f${i}`, 'x')), ...many(3, () => file('x'))),
      'too_many_parts',
    ],
    ['the same field twice', form(field('a', '1'), field('a', '2')), undefined],
    ['a field as long as allowed', form(field('a', long.slice(1))), undefined],
    ['a field one byte longer', form(field('a', long)), 'invalid_field'],
    ['a long field of many bytes', form(field('a', 'é'.repeat(501))), 'invalid_field'],
    ['a long field after a file', form(file('x'), field('a', long)), 'invalid_field'],
    [
      'a JSON field',
      form(field('a', '{"b":1}', 'Content-Type: application/json')),
      'invalid_field',
    ],
    ['a JSON text', form(field('a', '"b"', 'Content-Type: application/json')), 'invalid_field'],
    ['broken JSON', form(field('a', '{', 'Content-Type: application/json')), 'invalid_field'],
    ['__proto__', form(field('__proto__', 'x')), 'invalid_field'],
    ['constructor after a file', form(file('x'), field('constructor', 'x')), 'invalid_field'],
    ['a part without a name', odd('Content-Disposition: form-data'), 'malformed_multipart'],
    [
      'a part with an odd name',
      odd('Content-Disposition: form-data; x="y"'),
      'malformed_multipart',
    ],
    [
      'a part without headers',
      form(Buffer.from(`--${boundary}\r\n\r\nx\r\n`), file('x')),
      'malformed_multipart',
    ],
    ['an attachment', odd('Content-Disposition: attachment; name="a"'), 'malformed_multipart'],
    [
      'a header twice',
      odd('Content-Disposition: form-data; name="a"', 'content-disposition: form-data; name="b"'),
      'malformed_multipart',
    ],
    [
      'a line that is no header',
      odd('Content-Disposition: form-data; name="a"', 'hello'),
      'malformed_multipart',
    ],
    [
      'a bare line feed',
      odd('Content-Disposition: form-data; name="a"\nX: y'),
      'malformed_multipart',
    ],
    [
      'a long header block',
      odd('Content-Disposition: form-data; name="a"', `X: ${'y'.repeat(17_000)}`),
      'malformed_multipart',
    ],
    [
      'a part that ends in its headers',
      form(Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n`), file('x')),
      'malformed_multipart',
    ],
    ['no part at all', form(), undefined],
    ['something else', Buffer.from('hello'), 'body_incomplete'],
    ['nothing', Buffer.alloc(0), 'body_incomplete'],
  ]
  for (const [name, body, code] of cases) {
    const { status, json } = await post(port, body)
    t.same(
      [status, json.code],
      [code === undefined ? 200 : statusOf(code as 'damaged'), code],
      name,
    )
  }
  t.same((await post(port, form(field('a', '1'), field('a', '2')))).json.parts, [
    { name: 'a', value: '1' },
    { name: 'a', value: '2' },
  ])
})

void t.test('refuses other types, and boundaries that are none', async (t) => {
  const { port } = await serve(t)
  const body = form(file('x'))
  for (const [type, status, code] of [
    ['application/json', 415, 'unsupported_media_type'],
    ['multipart/form-data', 400, 'malformed_multipart'],
    ['multipart/form-data; boundary=', 400, 'malformed_multipart'],
    ['multipart/form-data; boundary="a\\"b"', 400, 'malformed_multipart'],
    [`multipart/form-data; boundary=${'a'.repeat(71)}`, 400, 'malformed_multipart'],
    ['multipart/form-data; boundary=a; boundary=b', 400, 'malformed_multipart'],
    [`multipart/form-data; charset=utf-8; Boundary="${boundary}"`, 200, undefined],
  ] as const) {
    const answer = await post(port, type === 'application/json' ? Buffer.from('{}') : body, type)
    t.same([answer.status, answer.json.code], [status, code], type)
  }
  t.equal((await post(port, body, 'multipart/mixed; boundary=a-boundary')).status, 415)
})

void t.test('what a reader leaves of a file is read past', async (t) => {
  const { port } = await serve(t, {
    take: async (request, limits) => {
      const seen: SeenPart[] = []
      for await (const part of readUpload(request, limits)) {
        seen.push({ name: part.name })
        if (part.kind === 'field' || seen.length === 1) continue
        for await (const chunk of part.bytes) {
          if (chunk.length > 0) break
        }
      }
      return seen
    },
  })
  const bytes = Buffer.alloc(3_000_000, 1)
  const { json } = await post(port, form(file(bytes), file(bytes), field('a', 'x')))
  t.same(json.parts, [{ name: 'file' }, { name: 'file' }, { name: 'a' }])
})

void t.test('junk outside of parts is not read for ever', async (t) => {
  const { port } = await serve(t)
  const junk = Buffer.alloc(8 * 1024 * 1024, 'x')
  const start = `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n`
  for (const [body, codes] of [
    [Buffer.concat([junk, form(file('x'))]), ['invalid_field']],
    [Buffer.concat([Buffer.from(start), junk]), ['invalid_field']],
    [Buffer.concat([form(file('x')), junk]), ['invalid_field', 'malformed_multipart']],
  ] as const) {
    const client = await Client.to(port)
    const headers = [`Content-Type: ${multipartType}`, 'Content-Length: 1000000000']
    client.send(head('/upload', ...headers), body)
    const { json } = await client.answer()
    t.ok(
      codes.some((code) => code === json.code),
      json.code ?? 'no code',
    )
    client.destroy()
  }
})

void t.test('a client that stalls is told so, wherever it stalls', async (t) => {
  const { port } = await serve(t, { limits: { idleMs: 150 } })
  const body = form(field('label', 'x'), file(Buffer.alloc(500, 1)), field('sha256', 'abc'))
  for (const sent of [0, 30, 120, 400, body.length - 20, body.length - 1]) {
    const client = await Client.to(port)
    const headers = [`Content-Type: ${multipartType}`, `Content-Length: ${body.length}`]
    client.send(head('/upload', ...headers), body.subarray(0, sent))
    const { status, json, head: answered } = await client.answer()
    t.same([status, json.code], [408, 'upload_idle'], `after ${sent} bytes`)
    t.match(answered, /connection: close/i)
    client.destroy()
  }
})

void t.test('a client that dribbles below the minimum rate is too slow', async (t) => {
  const limits = { idleMs: 5_000, minBytesPerSecond: 1_000, ratePeriodMs: 300 }
  const { port } = await serve(t, { limits })
  const client = await Client.to(port)
  client.send(head('/upload', `Content-Type: ${multipartType}`, 'Content-Length: 100000'))
  client.send(file(Buffer.alloc(2_000)).subarray(0, -2))
  const dribble = setInterval(() => client.send('x'), 20)
  const { status, json } = await client.answer()
  clearInterval(dribble)
  t.same([status, json.code], [408, 'upload_idle'])
  client.destroy()
})

void t.test('time that we take is not the client being slow', async (t) => {
  const limits = { idleMs: 300, minBytesPerSecond: 1_000, ratePeriodMs: 300 }
  const { port } = await serve(t, {
    limits,
    take: async (request, limits) => {
      const seen: SeenPart[] = []
      for await (const part of readUpload(request, limits)) {
        await delay(700)
        let size = 0
        if (part.kind === 'file') {
          for await (const chunk of part.bytes) {
            if (size === 0) await delay(700)
            size += chunk.length
          }
        }
        seen.push({ name: part.name, size })
      }
      return seen
    },
  })
  const { status, json } = await post(port, form(file(Buffer.alloc(5_000_000))))
  t.equal(status, 200)
  t.same(json.parts, [{ name: 'file', size: 5_000_000 }])
})

void t.test('back pressure reaches the client', async (t) => {
  let release = () => {
    /* replaced at once */
  }
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const { port } = await serve(t, {
    take: async (request, limits) => {
      for await (const part of readUpload(request, limits)) {
        await held
        if (part.kind === 'field') continue
        for await (const chunk of part.bytes) if (chunk.length === 0) throw new Error('empty')
      }
      return []
    },
  })
  const body = form(file(Buffer.alloc(64 * 1024 * 1024)))
  const client = await Client.to(port)
  const headers = [`Content-Type: ${multipartType}`, `Content-Length: ${body.length}`]
  client.send(head('/upload', ...headers), body)
  let before = -1
  while (client.socket.bytesWritten - client.socket.writableLength !== before) {
    before = client.socket.bytesWritten - client.socket.writableLength
    await delay(200)
  }
  t.ok(client.socket.writableLength > 0, 'most of the body waits at the client')
  release()
  t.equal((await client.answer()).status, 200)
  client.destroy()
})

void t.test('an abort ends the reading with its reason', async (t) => {
  const stop = new AbortController()
  const { port, outcome } = await serve(t, { limits: { signal: stop.signal } })
  const client = await Client.to(port)
  client.send(head('/upload', `Content-Type: ${multipartType}`, 'Content-Length: 100000'))
  client.send(file('some bytes'))
  await delay(20)
  stop.abort(new StrongroomError('shutting_down'))
  t.equal((await client.answer()).status, 503)
  t.same(await outcome(1), ['shutting_down'])
  client.destroy()
})

void t.test('who expects 100 gets it when the body is wanted, and not before', async (t) => {
  const { port } = await serve(t)
  const body = form(file('bytes'))
  const expecting = (path: string, type: string, length: number) =>
    head(path, `Content-Type: ${type}`, `Content-Length: ${length}`, 'Expect: 100-continue')

  const refused = await Client.to(port)
  refused.send(expecting('/forbidden', multipartType, 10_000_000))
  const begun = performance.now()
  t.equal((await refused.answer()).status, 403)
  await refused.closed()
  t.ok(performance.now() - begun < 1_500, 'nothing to drain')
  t.notMatch(refused.text, /100 Continue/)

  const missing = await Client.to(port)
  missing.send(expecting('/nowhere', multipartType, 10))
  t.equal((await missing.answer()).status, 404)
  t.notMatch(missing.text, /100 Continue/)
  missing.destroy()

  for (const [path, type, bytes] of [
    ['/upload', multipartType, body],
    ['/json', 'application/json', Buffer.from('{"a":1}')],
  ] as const) {
    const welcome = await Client.to(port)
    welcome.send(expecting(path, type, bytes.length))
    await once(welcome.socket, 'data')
    t.match(welcome.text, /^HTTP\/1.1 100 Continue\r\n\r\n/)
    t.equal((await welcome.send(bytes).answer()).status, 200)
    welcome.destroy()
  }

  const wrongType = await Client.to(port)
  wrongType.send(expecting('/upload', 'multipart/form-data', body.length))
  t.equal((await wrongType.answer()).status, 400)
  t.notMatch(wrongType.text, /100 Continue/)
  wrongType.destroy()
})

void t.test('an early refusal reaches a client that goes on sending, and closes', async (t) => {
  for (const path of ['/forbidden', '/upload']) {
    const { app, port } = await serve(t, {
      take: async (request, limits) => {
        for await (const part of readUpload(request, limits)) {
          if (part.kind === 'field') continue
          for await (const chunk of part.bytes) {
            if (chunk.length > 0) throw new StrongroomError('file_too_large')
          }
        }
        return []
      },
    })
    const client = await Client.to(port)
    const headers = [`Content-Type: ${multipartType}`, 'Content-Length: 1000000000']
    client.send(head(path, ...headers), file(Buffer.alloc(16 * 1024 * 1024)))
    const answer = await client.answer()
    t.equal(answer.status, path === '/upload' ? 413 : 403)
    t.match(answer.head, /connection: close/i)
    const begun = performance.now()
    await app.close()
    t.ok(performance.now() - begun < 3_000, 'the server stops')
    client.destroy()
  }
})

void t.test('an early refusal waits two seconds at most for a client that stalls', async (t) => {
  const { app, port } = await serve(t)
  const client = await Client.to(port, true)
  client.send(head('/forbidden', `Content-Type: ${multipartType}`, 'Content-Length: 1000000'))
  client.send(Buffer.alloc(1_000))
  t.equal((await client.answer()).status, 403)
  const begun = performance.now()
  await app.close()
  const took = performance.now() - begun
  t.ok(took > 1_000 && took < 3_000, `${Math.round(took)} ms`)
  client.destroy()
})

void t.test('a common client with a large body reads why it was refused', async (t) => {
  const { port } = await serve(t)
  for (let i = 0; i < 10; i++) {
    const body = new FormData()
    body.append('file', new Blob([Buffer.alloc(20_000_000)]), 'a.pdf')
    const answer = await fetch(`http://127.0.0.1:${port}/forbidden`, { method: 'POST', body })
    t.equal(answer.status, 403)
    t.same(await answer.json(), { code: 'forbidden' })
  }
})

void t.test(
  'a refused body that comes whole is drained, so that the answer is never lost',
  async (t) => {
    const { port } = await serve(t)
    const client = await Client.to(port)
    const body = Buffer.alloc(700_000)
    client.send(
      head('/forbidden', `Content-Type: ${multipartType}`, `Content-Length: ${body.length}`),
    )
    for (let i = 0; i < body.length; i += 100_000) {
      client.send(body.subarray(i, i + 100_000))
      await delay(20)
    }
    t.equal((await client.answer()).status, 403)
    t.equal(client.socket.errored, null)
    client.destroy()
  },
)

void t.test('a connection serves on after an upload', async (t) => {
  const { port } = await serve(t)
  const body = form(file('bytes'))
  const request = [
    head('/upload', `Content-Type: ${multipartType}`, `Content-Length: ${body.length}`),
    body,
  ]
  const client = await Client.to(port)
  await client.send(...request).answer()
  const { length } = client.text
  client.send(...request)
  while (client.text.length < 2 * length) await once(client.socket, 'data')
  t.equal(client.text.match(/HTTP\/1.1 200/g)?.length, 2)
  client.destroy()
})

void t.test('fifty uploads broken off leave nothing behind', async (t) => {
  const stop = new AbortController()
  const { app, port, outcome } = await serve(t, { limits: { signal: stop.signal } })
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  const body = form(field('a', 'x'), file(Buffer.alloc(400_000)), field('b', 'y'))
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  for (let i = 0; i < 50; i++) {
    const client = await Client.to(port)
    client.send(head('/upload', `Content-Type: ${multipartType}`, `Content-Length: ${body.length}`))
    await new Promise((sent) => {
      client.socket.write(body.subarray(0, 1 + Math.floor((i * body.length) / 50)), sent)
    })
    client.destroy()
  }
  const outcomes = await outcome(50)
  t.ok(
    outcomes.every((code) => code === 'body_incomplete'),
    [...new Set(outcomes)].join(),
  )
  await app.close()
  process.off('warning', onWarning)
  t.same(warnings, [])
  t.ok(timers() <= before, 'no timer is left')
})
