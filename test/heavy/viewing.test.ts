import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { isProblem } from '../acceptance/support/checks.js'
import { pdf, png } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { filePath, personOf } from '../acceptance/support/people.js'
import { startServer } from '../acceptance/support/server.js'

// What a real browser makes of the answers: a portal's page reads, frames and shows files, a page
// that was not named may not, and nothing that was uploaded ever runs.

const fixture = (name: string) => readFile(new URL(`../fixtures/${name}`, import.meta.url))
const report = await fixture('laboratory-report.pdf')
const photograph = await fixture('photograph.jpeg')

interface Held {
  readonly type: string
  readonly data: Buffer | string
}

/** A site of another origin: pages as told, everything else empty; remembers what it was asked for. */
async function startSite() {
  const held = new Map<string, Held>()
  const asked: string[] = []
  const site = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const { type, data } = held.get(path) ?? { type: 'text/html', data: '<!doctype html>' }
    response.setHeader('content-type', type)
    response.end(data)
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  const address = site.address()
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  // Not the service's own host name: to a browser these are different sites, not only origins.
  const origin = `http://localhost:${address.port}`
  return {
    origin,
    asked,
    hold: (path: string, type: string, data: Buffer | string) => {
      held.set(path, { type, data })
      return `${origin}${path}`
    },
    close: () => {
      site.close()
      site.closeAllConnections()
    },
  }
}

const portal = await startSite()
const stranger = await startSite()
t.teardown(() => {
  portal.close()
  stranger.close()
})
const settings = { CORS_ALLOWED_ORIGINS: portal.origin, FRAME_ANCESTORS: portal.origin }
const server = await startServer(settings)
t.teardown(async () => {
  await server.close()
})
const anna = personOf(server, 'anna')

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })
t.teardown(async () => {
  await browser.close()
})

const viewport = { width: 920, height: 720 }

/** A browser that sends nobody's token by itself. */
const anonymous = await browser.newContext({ viewport })
/** One that sends Anna's with every request, whoever makes it: frames and images too. */
const known = await browser.newContext({
  viewport,
  extraHTTPHeaders: { authorization: `Bearer ${anna.token}` },
})

const view = (id: string) => `${server.origin}${filePath(id)}?view=true`

async function onPage<T>(context: BrowserContext, use: (page: Page) => Promise<T>): Promise<T> {
  const page = await context.newPage()
  try {
    return await use(page)
  } finally {
    await page.close()
  }
}

const reportId = await anna.file(report)

/** A page of `site` with `src` in a frame. */
function framing(site: typeof portal, src: string): string {
  const style = 'border: 0; width: 900px; height: 700px'
  const frame = `<iframe style="${style}" src="${src}"></iframe>`
  const path = `/framing?${encodeURIComponent(src)}`
  return site.hold(path, 'text/html', `<!doctype html><title>A portal</title>${frame}`)
}

const isViewer = (url: string) => url.startsWith('chrome-extension://')
const isRefusal = (url: string) => url.startsWith('chrome-error://')
const hasFrame = (page: Page, kind: (url: string) => boolean) =>
  page.frames().some((frame) => kind(frame.url()))

/** Looks as `picture`, sooner or later: pages of a document appear one by one. */
const looksAs = (page: Page, picture: Buffer) =>
  eventually('the same picture', async () => (await page.screenshot()).equals(picture), 30_000)

/** How the viewer shows what the portal itself serves, without any header of the service's. */
async function pictureOf(data: Buffer): Promise<Buffer> {
  return onPage(anonymous, async (page) => {
    await page.goto(framing(portal, portal.hold('/report.pdf', 'application/pdf', data)))
    await eventually('the viewer', () => hasFrame(page, isViewer), 30_000)
    let last = await page.screenshot()
    let same = 0
    await eventually(
      'a picture that stays',
      async () => {
        await page.waitForTimeout(200)
        const next = await page.screenshot()
        same = next.equals(last) ? same + 1 : 0
        last = next
        return same >= 10
      },
      30_000,
    )
    return last
  })
}

const picture = await pictureOf(report)

const imageSize = `(async () => {
  const [image] = document.images
  await image.decode().catch(() => undefined)
  return [image.naturalWidth, image.naturalHeight]
})()`

/** Of the file as an image in a page of `site`: nothing by nothing where it is not shown. */
async function sizeOfImage(site: typeof portal, id: string): Promise<unknown> {
  return onPage(known, async (page) => {
    const tag = `<!doctype html><img src="${view(id)}">`
    await page.goto(site.hold(`/image?${id}`, 'text/html', tag))
    return page.evaluate(imageSize)
  })
}

interface Fetched {
  readonly status: number
  readonly sha256: string
  readonly headers: Readonly<Record<string, string>>
}

/** What a script of a page of `origin` gets from the service; `failed` where the browser keeps it. */
function fetchedBy(origin: string, headers: Readonly<Record<string, string>>) {
  const init = { headers: { authorization: `Bearer ${anna.token}`, ...headers } }
  return onPage(anonymous, async (page) => {
    await page.goto(origin)
    return await page.evaluate<Fetched | 'failed'>(`(async () => {
      const response = await fetch(${JSON.stringify(view(reportId))}, ${JSON.stringify(init)})
        .catch(() => undefined)
      if (response === undefined) return 'failed'
      const digest = await crypto.subtle.digest('SHA-256', await response.arrayBuffer())
      const sha256 = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0'))
      return {
        status: response.status,
        sha256: sha256.join(''),
        headers: Object.fromEntries(response.headers),
      }
    })()`)
  })
}

async function sha256Of(range?: string): Promise<string> {
  const answer = await anna.get(filePath(reportId), range === undefined ? {} : { range })
  const digest = await crypto.subtle.digest('SHA-256', answer.bytes)
  return Buffer.from(digest).toString('hex')
}

await t.test('a script of the portal reads bytes and headers', async (t) => {
  const whole = await fetchedBy(portal.origin, {})
  t.match(whole, {
    status: 200,
    sha256: await sha256Of(),
    headers: {
      'accept-ranges': 'bytes',
      'content-length': String(report.length),
      'content-disposition': /^inline; filename="report.pdf"/,
      etag: /^"[\w-]{16,}"$/,
      'content-type': 'application/pdf',
    },
  })
  const range = await fetchedBy(portal.origin, { range: 'bytes=100-299' })
  t.match(range, {
    status: 206,
    sha256: await sha256Of('bytes=100-299'),
    headers: {
      'accept-ranges': 'bytes',
      'content-range': `bytes 100-299/${report.length}`,
      'content-length': '200',
    },
  })
})

await t.test('a script of a page that was not named reads nothing', async (t) => {
  t.equal(await fetchedBy(stranger.origin, {}), 'failed')
  t.equal(await fetchedBy(stranger.origin, { range: 'bytes=100-299' }), 'failed')
})

await t.test('the picture compared with shows the document', async (t) => {
  const other = await pictureOf(pdf('no document', 1000))
  t.notOk(other.equals(picture), 'of another file it is another')
  await onPage(anonymous, async (page) => {
    await page.goto(framing(portal, 'about:blank'))
    t.notOk((await page.screenshot()).equals(picture), 'it is not blank')
  })
})

await t.test('a PDF is shown in a frame of the portal', async (t) => {
  await onPage(known, async (page) => {
    await page.goto(framing(portal, view(reportId)))
    await eventually('the viewer', () => hasFrame(page, isViewer), 30_000)
    t.ok(await looksAs(page, picture))
  })
})

/** The browser shows its own page in the document's place. */
async function isRefused(t: Test, page: Page, src: string): Promise<void> {
  await eventually('the refusal', () => hasFrame(page, isRefusal), 30_000)
  t.notOk(hasFrame(page, isViewer), `${src}: no viewer`)
  t.notOk((await page.screenshot()).equals(picture), `${src}: no document`)
}

await t.test('a PDF is not shown in a frame of a page that was not named', async (t) => {
  const said: string[] = []
  await onPage(known, async (page) => {
    page.on('console', (message) => said.push(message.text()))
    await page.goto(framing(stranger, view(reportId)))
    await isRefused(t, page, stranger.origin)
    await eventually('the reason', () => /frame-ancestors/.test(said.join('\n')))
  })
})

await t.test('an image is shown in a page of the portal, and by itself', async (t) => {
  for (const [data, type, side] of [
    [photograph, 'image/jpeg', 256],
    [png('shown', 40), 'image/png', 40],
  ] as const) {
    const id = await anna.file(data, { filename: 'photograph', type })
    t.match((await anna.head(`${filePath(id)}?view=true`)).headers, {
      'content-security-policy': /^sandbox; default-src 'none'/,
    })
    t.same(await sizeOfImage(portal, id), [side, side], `${type} in the portal's page`)
    await onPage(known, async (page) => {
      await page.goto(view(id))
      t.same(await page.evaluate(imageSize), [side, side], `${type} as a document`)
    })
    await onPage(known, async (page) => {
      await page.goto(framing(portal, view(id)))
      const frame = page.frames().find((each) => each.url() === view(id))
      t.same(await frame?.evaluate(imageSize), [side, side], `${type} in a frame`)
    })
  }
})

// What would run if a browser took it for a page: it calls the portal, which remembers.
const call = (name: string) => `${portal.origin}/called?${name}`
const script = (name: string) =>
  `document.title = 'ran'; fetch('${call(name)}', { mode: 'no-cors' })`
const wasCalled = (name: string) => portal.asked.includes(`/called?${name}`)

/** Markup as it may be kept: none of these has a beginning that says what it is. */
const disguised = (name: string) => ({
  'late.html': `${'A long note. '.repeat(2000)}<script>${script(name)}</script>`,
  'image.html': `<img src="x:" onerror="${script(name)}">`,
  'drawing.svg': `<v:svg xmlns:v="http://www.w3.org/2000/svg"><v:script>${script(name)}</v:script></v:svg>`,
})

await t.test('markup that is known for what it is is not kept', async (t) => {
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg"><script>${script('svg')}</script></svg>`
  for (const [filename, type, data] of [
    ['page.html', 'text/html', `<!doctype html><script>${script('html')}</script>`],
    ['page.txt', 'text/plain', `<!doctype html><script>${script('html')}</script>`],
    ['drawing.svg', 'image/svg+xml', drawing],
    ['drawing.png', 'image/png', drawing],
    ['drawing.svg', 'image/svg+xml', `<?xml version="1.0"?>${drawing}`],
  ] as const) {
    isProblem(t, await anna.upload(Buffer.from(data), { filename, type }), 415)
  }
})

await t.test('markup in disguise is handed out, not shown, and never runs', async (t) => {
  for (const [filename, data] of Object.entries(disguised(`control`))) {
    const type = filename.endsWith('svg') ? 'image/svg+xml' : 'text/html'
    await onPage(known, async (page) => {
      const before = portal.asked.length
      await page.goto(portal.hold(`/${filename}`, type, data))
      await eventually('the call', () => portal.asked.slice(before).includes('/called?control'))
    })
    t.pass(`${filename} runs where it is served as what it is`)
  }
  for (const [filename, data] of Object.entries(disguised('kept'))) {
    const id = await anna.file(Buffer.from(data), { filename, type: 'text/plain' })
    await onPage(known, async (page) => {
      const download = page.waitForEvent('download')
      await page.goto(view(id)).catch(() => undefined)
      const kept = await download
      t.equal(kept.suggestedFilename(), filename)
      t.equal(await readFile(await kept.path(), 'utf8'), data)
      t.equal(await page.title(), '')
    })
    await onPage(known, async (page) => {
      const download = page.waitForEvent('download')
      await page.goto(framing(portal, view(id)))
      await download
      t.equal(await page.title(), 'A portal')
    })
  }
  t.notOk(wasCalled('kept'))
})

async function ticketOf(id: string): Promise<{ readonly url: string; readonly ticket_id: string }> {
  const answer = await anna.post('/api/tickets', { file_id: id, action: 'view' })
  return JSON.parse(answer.text) as { url: string; ticket_id: string }
}

await t.test('a ticket shows the document in a frame, to a browser without a token', async (t) => {
  const { url, ticket_id: ticketId } = await ticketOf(reportId)
  await onPage(anonymous, async (page) => {
    await page.goto(framing(portal, url))
    await looksAs(page, picture)
    t.pass('as the portal itself would show it')
    await page.reload()
    await looksAs(page, picture)
    t.pass('and again, as long as it is the same browser')
  })
  const other = await browser.newContext({ viewport, userAgent: 'Another browser' })
  const heading = await onPage(other, async (page) => {
    await page.goto(url)
    return await page.locator('h1').innerText()
  })
  await other.close()
  t.equal(heading, 'This link has ended', 'another browser is told so in words')
  t.equal((await anna.delete(`/api/tickets/${ticketId}`)).status, 204)
  await onPage(anonymous, async (page) => {
    await page.goto(framing(portal, url))
    const ended = page.frameLocator('iframe').locator('h1')
    t.equal(await ended.innerText(), 'This link has ended', 'in the frame, too')
  })
  await onPage(anonymous, async (page) => {
    const { url: fresh } = await ticketOf(reportId)
    await page.goto(framing(stranger, fresh))
    await eventually('a refusal', () => hasFrame(page, isRefusal), 30_000)
    t.notOk(hasFrame(page, isViewer), 'a page that is not named does not frame it')
  })
})

await t.test('a script of the portal reads by ticket, in ranges', async (t) => {
  const { url } = await ticketOf(reportId)
  const read = (origin: string) =>
    onPage(anonymous, async (page) => {
      await page.goto(origin)
      return await page.evaluate<unknown>(`(async () => {
        const asked = { headers: { range: 'bytes=0-99' } }
        const response = await fetch(${JSON.stringify(url)}, asked).catch(() => undefined)
        if (response === undefined) return 'failed'
        return [response.status, (await response.arrayBuffer()).byteLength]
      })()`)
    })
  t.same(await read(portal.origin), [206, 100])
  t.equal(await read(stranger.origin), 'failed', 'no other page’s')
})

await t.test('where no page is named, none shows anything', async (t) => {
  const id = await anna.file(png('embedded', 40), { filename: 'drawing', type: 'image/png' })
  t.same(await sizeOfImage(stranger, id), [40, 40], 'an image has no list of who may show it')
  for (const ancestors of ["'none'", "'self'"]) {
    await server.stop()
    await server.start({ FRAME_ANCESTORS: ancestors })
    await onPage(known, async (page) => {
      await page.goto(framing(portal, view(reportId)))
      await isRefused(t, page, ancestors)
    })
    t.same(await sizeOfImage(portal, id), [0, 0], `${ancestors}: no image either`)
    t.equal(
      ((await fetchedBy(portal.origin, {})) as Fetched).status,
      200,
      'scripts go by CORS alone',
    )
  }
})
