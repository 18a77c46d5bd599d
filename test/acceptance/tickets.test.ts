import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { hasBytes, hasStatus, isProblem } from './support/checks.js'
import { pdf } from './support/content.js'
import type { Call } from './support/http.js'
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

// URLs that serve one file without a token: to whom, how long, by which rights, and what is on record of it.

const settings = {
  TRUST_PROXY: '1',
  LOG_LEVEL: 'trace',
  TICKET_MAX_SECONDS: '60',
  VIEW_SESSION_SECONDS: '10',
  FRAME_ANCESTORS: "'self',https://portal.example",
}
const server = await startServer(settings)
t.teardown(() => server.close())

const admin = personOf(server, 'admin', { role: 'admin' })
const anna = personOf(server, 'anna', { role: 'patient' })
const doctor = personOf(server, 'doctor', { role: 'clinician' })
const guest = personOf(server, 'guest')
await assign(admin, doctor, anna)
const medical_record_type_id = await recordType(admin)
const record = { patient_id: anna.id, medical_record_type_id }

interface Issued {
  readonly ticket_id: string
  readonly url: string
  readonly expires_at: string
}

const ask = (who: Person, file_id: string, more: object = {}) =>
  who.post('/api/tickets', { file_id, action: 'view', ...more })

async function ticketOf(who: Person, fileId: string, more: object = {}): Promise<Issued> {
  const answer = await ask(who, fileId, more)
  if (answer.status !== 201) throw new Error(`no ticket: ${answer.status} ${answer.text}`)
  return JSON.parse(answer.text) as Issued
}

const pathOf = ({ url }: Issued) => new URL(url).pathname

/** A browser at an address of its own. */
function browser(address = '192.0.2.10', agent = 'A browser') {
  return async (ticket: Issued | string, more: Call & { cookie?: string } = {}) => {
    const { cookie, headers, ...rest } = more
    return await server.call(typeof ticket === 'string' ? ticket : pathOf(ticket), {
      ...rest,
      headers: {
        ...{ 'x-forwarded-for': address, 'user-agent': agent },
        ...(cookie === undefined ? {} : { cookie }),
        ...headers,
      },
    })
  }
}

interface Logged {
  readonly action: string
  readonly outcome: string
  readonly reason: string | null
  readonly actor_id: string
  readonly subject_id: string | null
  readonly file_id: string | null
  readonly ip: string
}

async function logged(query: string): Promise<readonly Logged[]> {
  const answer = await admin.get(`/api/v1/audit/logs?limit=200&${query}`)
  return listOf(answer) as readonly Logged[]
}

await t.test('shows a file to whoever opens it first, and to nobody else', async (t) => {
  const data = pdf('shown', 300_000)
  const fileId = await anna.file(data, { filename: 'shown.pdf' })
  const ticket = await ticketOf(anna, fileId)
  t.equal(new URL(ticket.url).origin, server.origin)
  t.notMatch(ticket.url, fileId, 'the URL does not name the file')
  const first = browser()
  const answer = await first(ticket)
  hasBytes(t, answer, data)
  t.match(answer.headers, {
    'content-type': 'application/pdf',
    'content-disposition': /^inline/,
    'referrer-policy': 'no-referrer',
    'cache-control': 'private, no-store',
    'content-security-policy': /frame-ancestors 'self' https:\/\/portal\.example/,
    'set-cookie': /; Path=\/t\/.*; HttpOnly; Secure; SameSite=None; Partitioned$/,
  })
  const cookie = /^[^;]+/.exec(answer.headers['set-cookie'] ?? '')?.[0] ?? ''
  const range = { headers: { range: 'bytes=100-199' } }
  const part = await first(ticket, { ...range, cookie })
  hasStatus(t, part, 206)
  t.ok(part.bytes.equals(data.subarray(100, 200)))
  hasStatus(t, await first(ticket, range), 206, 'a client that keeps no cookie')
  hasStatus(t, await browser('192.0.2.99')(ticket, range), 206, 'the same network')
  for (const [what, other, more] of [
    ['another network', browser('192.0.3.10'), {}],
    ['another browser', browser('192.0.2.10', 'Another'), {}],
    ['another cookie', first, { cookie: 'strongroom_ticket=AAAA' }],
  ] as const) {
    const refused = await other(ticket, more)
    isProblem(t, refused, 410, 'ticket_over')
    t.equal(refused.headers['referrer-policy'], 'no-referrer', what)
  }
  const told = await logged(`file_id=${fileId}`)
  const [issued] = told.filter(({ action }) => action === 'ticket.issue')
  t.match(issued, { actor_id: 'anna', subject_id: ticket.ticket_id, outcome: 'success' })
  const views = told.filter(({ action }) => action === 'file.view')
  t.equal(views.length, 4)
  for (const view of views) t.match(view, { actor_id: 'anna', subject_id: ticket.ticket_id })
  t.ok(views.some(({ ip }) => ip === '192.0.2.99'))
  const refusals = told.filter(({ action }) => action === 'ticket.refused')
  t.equal(refusals.length, 3)
  for (const each of refusals) {
    t.match(each, { actor_id: '-', subject_id: ticket.ticket_id, reason: 'ticket_over' })
  }
  const signature = pathOf(ticket).split('.')[1] ?? ''
  t.equal(signature.length, 43)
  t.notOk(server.logs().includes(signature), 'the signature is in no log')
})

await t.test('for people a page, for programs a problem', async (t) => {
  const ticket = await ticketOf(anna, await anna.file(pdf('page')))
  await browser()(ticket)
  const opened = { headers: { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' } }
  const page = await browser('203.0.113.5')(ticket, opened)
  t.equal(page.status, 410)
  t.match(page.headers['content-type'], /^text\/html/)
  t.match(page.text, /<h1>This link has ended<\/h1>/)
  t.match(page.headers['content-security-policy'], /default-src 'none'.*https:\/\/portal\.example/)
  t.equal(page.headers['referrer-policy'], 'no-referrer')
  t.equal(page.headers['content-disposition'], undefined)
  const forged = await browser()(`${pathOf(ticket).slice(0, -4)}AAAA`, opened)
  t.equal(forged.status, 404)
  t.match(forged.text, /cannot be shown/)
  for (const last of 'AEIMQUYcgkosw048BFJN') {
    const altered = await browser('203.0.113.5')(pathOf(ticket).slice(0, -1) + last)
    t.equal(altered.status, pathOf(ticket).endsWith(last) ? 410 : 404, 'each character counts')
  }
  isProblem(t, await browser()(`/t/${'x'.repeat(1_500)}`), 404, 'not_found')
  isProblem(t, await anna.delete(`/api/tickets/${'x'.repeat(1_500)}`), 404, 'not_found')
  for (const path of ['/t/', '/t/x', '/t/a.b', pathOf(ticket).slice(0, -1)]) {
    isProblem(t, await browser()(path), 404, 'not_found')
  }
  for (const method of ['POST', 'PUT']) {
    isProblem(t, await browser()(ticket, { method }), 410, 'ticket_over')
  }
  isProblem(t, await browser()(ticket, { method: 'DELETE' }), 405)
})

await t.test('a flood of refusals does not flood the record', async (t) => {
  const ticket = await ticketOf(anna, await anna.file(pdf('a flood')))
  hasStatus(t, await browser()(ticket), 200)
  const stranger = browser('203.0.113.77')
  for (let tries = 0; tries < 25; tries++) hasStatus(t, await stranger(ticket), 410)
  const told = await logged('action=ticket.refused')
  const nodes = Number(process.env['TEST_NODES'] ?? '1')
  const ofStranger = told.filter(({ ip }) => ip === '203.0.113.77')
  t.equal(ofStranger.length, 10 * nodes, 'a minute, an address, a process')
})

await t.test('two requests that are first at once are of one client', async (t) => {
  const data = pdf('at once', 100_000)
  const ticket = await ticketOf(anna, await anna.file(data))
  const answers = await Promise.all(Array.from({ length: 8 }, () => browser()(ticket)))
  for (const answer of answers) hasBytes(t, answer, data)
  t.equal(answers.filter(({ headers }) => headers['set-cookie'] !== undefined).length, 1)
  const others = await ticketOf(anna, await anna.file(pdf('a race', 900)))
  const raced = await Promise.all(
    Array.from({ length: 8 }, (_each, at) => browser(`198.51.${at}.7`)(others)),
  )
  t.equal(raced.filter(({ status }) => status === 200).length, 1, 'one of eight clients is served')
})

await t.test('HEAD opens nothing', async (t) => {
  const ticket = await ticketOf(anna, await anna.file(pdf('headers', 4_000)))
  const head = await browser('203.0.113.9', 'A scanner of links')(ticket, { method: 'HEAD' })
  hasStatus(t, head, 200)
  t.equal(head.headers['content-length'], '4000')
  hasStatus(t, await browser()(ticket), 200)
  const after = await browser('203.0.113.9')(ticket, { method: 'HEAD' })
  t.equal(after.status, 410)
})

await t.test('a download', async (t) => {
  const data = pdf('kept', 20_000)
  const ticket = await ticketOf(anna, await anna.file(data), { action: 'download' })
  const answer = await browser()(ticket)
  hasBytes(t, answer, data)
  t.match(answer.headers['content-disposition'], /^attachment/)
})

await t.test('how long', async (t) => {
  const fileId = await anna.file(pdf('how long'))
  const before = Date.now()
  const clamped = await ticketOf(anna, fileId, { expiry_seconds: 3600 })
  const lasts = (Date.parse(clamped.expires_at) - before) / 1_000
  t.ok(lasts > 55 && lasts < 65, `an hour is cut to TICKET_MAX_SECONDS: ${lasts} s`)
  const short = await ticketOf(anna, fileId, { expiry_seconds: 1 })
  const opened = await ticketOf(anna, fileId, { expiry_seconds: 1 })
  const kept = await ticketOf(anna, fileId, { expiry_seconds: 1, action: 'download' })
  hasStatus(t, await browser()(opened), 200)
  hasStatus(t, await browser()(kept), 200)
  await wait(1_300)
  isProblem(t, await browser()(short), 410, 'ticket_over')
  hasStatus(t, await browser()(opened), 200, 'one that was opened in time goes on')
  isProblem(t, await browser()(kept), 410, 'ticket_over')
  for (const expiry_seconds of [0, -1, 1.5, 'x']) {
    isProblem(t, await ask(anna, fileId, { expiry_seconds }), 400)
  }
  isProblem(t, await ask(anna, fileId, { action: 'upload' }), 400)
  isProblem(t, await anna.post('/api/tickets', { action: 'view' }), 400)
  hasStatus(t, await ask(anna, fileId, { what_old_clients_send: 1 }), 201)
})

await t.test('the session of a view ends, and the ticket with the token', async (t) => {
  await server.stop()
  await server.start({ ...settings, VIEW_SESSION_SECONDS: '10', TICKET_MAX_SECONDS: '10' })
  const exp = Math.floor(Date.now() / 1_000) + 3
  const brief = personOf(server, 'anna', { role: 'patient', exp })
  const fileId = await anna.file(pdf('session'))
  const ticket = await ticketOf(brief, fileId, { expiry_seconds: 10 })
  t.equal(Date.parse(ticket.expires_at), exp * 1_000, 'no longer than the token')
  const [opened, longer] = [ticket, await ticketOf(anna, fileId)]
  hasStatus(t, await browser()(opened), 200)
  hasStatus(t, await browser()(longer), 200)
  const sessionEnd = Date.now() + 10_000
  await wait(exp * 1_000 - Date.now() + 200)
  isProblem(t, await browser()(opened), 410, 'ticket_over')
  hasStatus(t, await browser()(longer), 200)
  await wait(sessionEnd - Date.now() + 200)
  isProblem(t, await browser()(longer), 410, 'ticket_over')
})

await t.test('whose file it is, and what they may do then', async (t) => {
  const fileId = await anna.file(pdf('whose'))
  isProblem(t, await ask(doctor, fileId), 404, 'not_found')
  isProblem(t, await ask(anna, 'not-an-id'), 404, 'not_found')
  isProblem(t, await server.call('/api/tickets', { method: 'POST', json: {} }), 401)
  const ticket = await ticketOf(anna, fileId)
  hasStatus(t, await browser()(ticket), 200)
  hasStatus(t, await anna.delete(`${filePath(fileId)}/delete`), 200)
  isProblem(t, await browser()(ticket), 404, 'not_found')

  const data = pdf('a record', 40_000)
  const recordId = await doctor.record(data, record)
  const grants = `${recordPath(recordId)}/grants`
  hasStatus(t, await anna.post(grants, { user_id: guest.id, can_download: false }), 201)
  isProblem(t, await ask(guest, recordId, { action: 'download' }), 403, 'download_not_granted')
  const shown = await ticketOf(guest, recordId)
  hasBytes(t, await browser()(shown), data)
  const own = await ticketOf(anna, recordId, { action: 'download' })
  hasBytes(t, await browser()(own), data)
  hasStatus(t, await anna.delete(`${grants}/${guest.id}`), 200)
  isProblem(t, await browser()(shown), 404, 'not_found')
  const told = await logged(`file_id=${recordId}`)
  t.ok(
    told.some(
      ({ action, actor_id, subject_id }) =>
        action === 'record.view' && actor_id === guest.id && subject_id === shown.ticket_id,
    ),
    'the reading names its ticket',
  )
  t.ok(
    told.some(
      ({ action, outcome, reason }) =>
        action === 'ticket.issue' && outcome === 'denied' && reason === 'download_not_granted',
    ),
    'a refused wish is on record',
  )
})

await t.test('an end by hand breaks off what is under way', async (t) => {
  const data = pdf('large', 24 << 20)
  const ticket = await ticketOf(anna, await anna.file(data))
  const path = `/api/tickets/${ticket.ticket_id}`
  isProblem(t, await doctor.delete(path), 404, 'not_found')
  isProblem(t, await anna.delete('/api/tickets/x'), 404, 'not_found')
  const reader = await openReader(server.address, anna, pathOf(ticket))
  t.equal(reader.status, 200)
  hasStatus(t, await anna.delete(path), 204)
  const began = Date.now()
  await wait(2_500)
  const got = await reader.drain()
  t.ok(got.length < data.length, `broken off after ${got.length} of ${data.length} bytes`)
  t.ok(Date.now() - began < 7_000)
  isProblem(t, await anna.delete(path), 404, 'not_found')
  const page = await server.call(pathOf(ticket))
  isProblem(t, page, 410, 'ticket_over')
})

await t.test('a page of another origin may read it', async (t) => {
  await server.stop()
  await server.start({ ...settings, CORS_ALLOWED_ORIGINS: 'https://portal.example' })
  const ticket = await ticketOf(anna, await anna.file(pdf('cors', 5_000)))
  const headers = { origin: 'https://portal.example', range: 'bytes=0-9' }
  const answer = await browser()(ticket, { headers })
  hasStatus(t, answer, 206)
  t.match(answer.headers, {
    'access-control-allow-origin': 'https://portal.example',
    'access-control-expose-headers': /Content-Range/,
    'cross-origin-resource-policy': 'cross-origin',
  })
})

await t.test('the log of all this is sound', async (t) => {
  const verified = await server.command('audit', 'verify')
  t.equal(verified.code, 0, verified.out + verified.err)
})
