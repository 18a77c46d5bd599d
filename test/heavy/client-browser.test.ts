import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import t from 'tap'
import { pdf, sha256 } from '../acceptance/support/content.js'
import { filePath, personOf } from '../acceptance/support/people.js'
import { startServer } from '../acceptance/support/server.js'
import { spoilingProxy } from '../acceptance/support/spoiling-proxy.js'

// The built package, loaded as a module by a page of a portal: what `npm run build:client` makes.

const dist = new URL('../../client/dist/', import.meta.url)
if (!existsSync(dist)) throw new Error('Build first: npm run build:client')
const MiB = 1024 * 1024

/** The portal: a page, and the package's modules beside it. */
const portal = createServer((request, response) => {
  const name = /^\/client\/([\w-]+\.js)$/.exec(request.url ?? '')?.[1]
  const answer = async () => {
    response.setHeader('content-type', name === undefined ? 'text/html' : 'text/javascript')
    response.end(name === undefined ? '<!doctype html>' : await readFile(new URL(name, dist)))
  }
  answer().catch(() => response.writeHead(404).end())
})
portal.listen(0, '127.0.0.1')
await once(portal, 'listening')
const address = portal.address()
if (address === null || typeof address === 'string') throw new Error('No port to be had')
const origin = `http://localhost:${address.port}`
t.teardown(() => {
  portal.close()
  portal.closeAllConnections()
})

const server = await startServer({ CORS_ALLOWED_ORIGINS: origin })
t.teardown(() => server.close())
const proxy = await spoilingProxy(server.address)
t.teardown(() => proxy.close())
const anna = personOf(server, 'anna')

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
})
t.teardown(() => browser.close())
const page = await browser.newPage()
await page.goto(origin)
await page.addScriptTag({
  type: 'module',
  content: `
    import * as strongroom from '/client/browser.js'
    globalThis.strongroom = strongroom
    globalThis.client = strongroom.createClient({
      origin: ${JSON.stringify(proxy.origin)},
      token: () => ${JSON.stringify(anna.token)},
      retry: { baseMs: 20 },
    })
    globalThis.file = (name, base64) => new File(
      [Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name, { type: 'application/pdf' },
    )
    globalThis.bytesOf = async ({ stream }) => {
      const pieces = []
      const reader = stream.getReader()
      for (let step = await reader.read(); !step.done; step = await reader.read()) pieces.push(step.value)
      const digest = await crypto.subtle.digest('SHA-256', await new Blob(pieces).arrayBuffer())
      return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    }
    globalThis.errorOf = (work) => work.then(
      () => 'none',
      ({ name, message, code, reason }) => ({ name, message, code, reason }),
    )
  `,
})
await page.waitForFunction('globalThis.errorOf !== undefined')

/** What a script in the page comes to. */
const run = <T>(script: string) => page.evaluate<T>(`(async () => { ${script} })()`)
const fileOf = (name: string, data: Buffer) =>
  `file(${JSON.stringify(name)}, ${JSON.stringify(data.toString('base64'))})`

interface Uploaded {
  readonly file: { readonly file_id: string; readonly filename: string; readonly sha256: string }
  readonly progress: readonly { readonly sent: number; readonly total: number }[]
}

const upload = (data: Buffer, call: string, options = '') =>
  run<Uploaded>(`
    const progress = []
    const onProgress = (each) => progress.push(each)
    const made = await ${call}(${fileOf('scan.pdf', data)}, { onProgress, ${options} })
    return { file: made, progress }
  `)

await t.test('a File is uploaded with progress', async (t) => {
  const data = pdf('browser', 6 * MiB + 1)
  const { file, progress } = await upload(data, 'client.files.upload', 'label: "from a page"')
  t.match(file, { filename: 'scan.pdf', sha256: sha256(data) })
  t.ok((await anna.get(filePath(file.file_id))).bytes.equals(data))
  t.match((await anna.get(`${filePath(file.file_id)}/metadata`)).body, { label: 'from a page' })
  t.same(progress[0], { sent: 0, total: data.length })
  t.same(progress.at(-1), { sent: data.length, total: data.length })
  t.ok(
    progress.every(({ sent }, i) => sent >= (progress[i - 1]?.sent ?? 0)),
    'never back',
  )
})

await t.test('across a connection that is cut one file comes of it', async (t) => {
  const data = pdf('browser cut', 4 * MiB)
  proxy.spoil({ way: 'up', how: 'cut', after: 2 * MiB })
  const happened = proxy.happened()
  const { file } = await upload(data, 'client.files.upload')
  t.equal(proxy.happened(), happened + 1)
  t.ok((await anna.get(filePath(file.file_id))).bytes.equals(data))
})

await t.test('a bit turned on the way is found, and errors say what they are', async (t) => {
  const data = pdf('browser turned', 2 * MiB)
  proxy.spoil({ way: 'up', how: 'flip', after: MiB })
  const refused = `return errorOf(client.files.upload(${fileOf('turned.pdf', data)}))`
  t.match(await run(refused), { name: 'StrongroomError', code: 'digest_mismatch' })
  t.match(await run('return errorOf(client.files.metadata("nothing"))'), { code: 'not_found' })
  const stream = `return errorOf(client.files.upload(new Blob(['x']).stream()))`
  t.match(await run(stream), { name: 'TypeError' })
})

await t.test('an upload is cancelled', async (t) => {
  const data = pdf('browser cancelled', 8 * MiB)
  const script = `
    const stop = new AbortController()
    const onProgress = ({ sent }) => { if (sent > 0) stop.abort(new RangeError('enough')) }
    return errorOf(client.files.upload(${fileOf('x.pdf', data)}, { onProgress, signal: stop.signal }))
  `
  t.match(await run(script), { name: 'RangeError', message: 'enough' })
  const { text } = await anna.get('/api/files/user')
  t.notMatch(text, sha256(data))
})

await t.test('a download, a range of it, and one that is cut', async (t) => {
  const data = pdf('browser download', 5 * MiB + 3)
  const id = await anna.file(data, { filename: 'Befund März.pdf' })
  const get = (options = '{}') =>
    run<Record<string, unknown>>(`
      const got = await client.files.download('${id}', ${options})
      return { ...got, stream: undefined, digest: await bytesOf(got) }
    `)
  const whole = { filename: 'Befund März.pdf', sha256: sha256(data), fileSize: data.length }
  t.match(await get(), { ...whole, size: data.length, digest: sha256(data) })
  t.match(await get('{ range: { start: 1000, end: 3000 } }'), {
    ...whole,
    size: 2000,
    digest: sha256(data.subarray(1000, 3000)),
  })
  const happened = proxy.happened()
  proxy.spoil({ way: 'down', how: 'cut', after: 2 * MiB })
  t.match(await get(), { digest: sha256(data) }, 'it goes on')
  t.equal(proxy.happened(), happened + 1)
  proxy.spoil({ way: 'down', how: 'flip', after: 2 * MiB })
  const spoilt = `return errorOf(client.files.download('${id}').then(bytesOf))`
  t.match(await run(spoilt), { name: 'IntegrityError', reason: 'digest' })
})

await t.test('direct uploads, tickets and lists', async (t) => {
  const data = pdf('browser direct', 2 * MiB)
  const { file, progress } = await upload(data, 'client.documents.upload')
  t.match(file, { filename: 'scan.pdf', sha256: sha256(data) })
  t.same(progress.at(-1), { sent: data.length, total: data.length })
  const list = `
    const all = []
    for await (const { id } of client.documents.list({ pageSize: 1 })) all.push(id)
    return bytesOf(await client.documents.download(all[0]))
  `
  t.equal(await run(list), sha256(data))
  const id = await anna.file(pdf('browser ticket'))
  const ticket = `
    const { url } = await client.tickets.issue({ fileId: '${id}', action: 'view' })
    return bytesOf({ stream: (await fetch(url)).body })
  `
  t.equal(await run(ticket), sha256(pdf('browser ticket')))
})

await t.test('a page that has no token sends to a place it was given', async (t) => {
  const data = pdf('browser place', MiB)
  const facts = { contentType: 'application/pdf', size: data.length }
  const place = await anna.post('/api/docs/presign-upload', { filename: 'scan.pdf', ...facts })
  const { url, headers, key } = JSON.parse(place.text) as {
    readonly url: string
    readonly headers: object
    readonly key: string
  }
  const put = `
    const request = new XMLHttpRequest()
    request.open('PUT', ${JSON.stringify(url)})
    for (const [name, value] of Object.entries(${JSON.stringify(headers)})) request.setRequestHeader(name, value)
    const over = new Promise((resolve) => { request.onloadend = resolve })
    request.send(${fileOf('scan.pdf', data)})
    await over
    return request.status
  `
  t.equal(await run(put), 200)
  t.equal((await anna.post('/api/docs/confirm', { key, ...facts })).status, 201)
})

await t.test('webhooks, where a page has WebCrypto', async (t) => {
  const refused = `
    const secret = 'whsec_' + btoa('x'.repeat(24))
    return errorOf(strongroom.verifyWebhook({ secret, headers: {}, body: '' }))
  `
  t.match(await run(refused), { name: 'WebhookError', reason: 'headers' })
})
