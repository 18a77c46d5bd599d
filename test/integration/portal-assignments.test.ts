import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { type PortalOptions, portalAssignments } from '../../src/integrations/portal-assignments.js'
import { eventually } from '../acceptance/support/eventually.js'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

/** A portal on a port of its own; `answer` may be changed meanwhile. */
async function startPortal(t: Test, answer: Answer) {
  const asked: IncomingMessage[] = []
  const portal = { asked, answer, url: '' }
  const server = createServer((request, response) => {
    asked.push(request)
    portal.answer(response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  portal.url = `http://127.0.0.1:${address.port}/api/assignments/check`
  return portal
}

function listener() {
  const lines: unknown[] = []
  const problems: unknown[] = []
  const log: PortalOptions['log'] = {
    info: (...line) => lines.push(line),
    error: (facts, ...rest) => {
      lines.push([facts, ...rest])
      problems.push(facts.err)
    },
  }
  return { log, lines, problems }
}

function asking(t: Test, url: string, more: Partial<PortalOptions> = {}) {
  const { log, problems, lines } = listener()
  const assignments = portalAssignments({
    url,
    token: 'service-token',
    timeoutMs: 5000,
    cacheSeconds: 30,
    log,
    ...more,
  })
  t.teardown(() => assignments.close())
  const ask = (clinicianId: string, patientId: string) =>
    assignments.isAssigned(clinicianId, patientId)
  return { ask, problems, lines }
}

const json =
  (body: unknown, status = 200): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

const unavailable = { name: 'StrongroomError', code: 'assignments_unavailable', retryAfter: 5 }

await t.test('it asks with both ids and its token', async (t) => {
  const portal = await startPortal(t, json({ assigned: true }))
  const { ask } = asking(t, `${portal.url}?tenant=1`)
  t.equal(await ask('clinician & co', 'Zoë+1'), true)
  const [request] = portal.asked
  t.equal(request?.method, 'GET')
  const { pathname, searchParams } = new URL(request?.url ?? '', portal.url)
  t.equal(pathname, '/api/assignments/check')
  t.same(
    [...searchParams],
    [
      ['tenant', '1'],
      ['clinician_id', 'clinician & co'],
      ['patient_id', 'Zoë+1'],
    ],
  )
  t.match(request?.headers, { authorization: 'Bearer service-token', accept: 'application/json' })
})

await t.test('without a token it sends none', async (t) => {
  const portal = await startPortal(t, json({ assigned: false, more: 'ignored' }))
  const { ask } = asking(t, portal.url, { token: undefined })
  t.equal(await ask('clinician', 'patient'), false)
  t.notOk('authorization' in (portal.asked[0]?.headers ?? {}))
})

await t.test('an answer is good for its time, yes and no alike', async (t) => {
  const portal = await startPortal(t, (response, request) => {
    json({ assigned: request.url?.includes('patient_id=yes') })(response, request)
  })
  const { ask } = asking(t, portal.url)
  for (let turn = 0; turn < 3; turn++) {
    t.equal(await ask('clinician', 'yes'), true)
    t.equal(await ask('clinician', 'no'), false)
    t.equal(await ask('another', 'no'), false)
  }
  t.equal(portal.asked.length, 3)
})

await t.test('ids do not run into one another', async (t) => {
  const portal = await startPortal(t, (response, request) => {
    json({ assigned: request.url?.includes('clinician_id=a&') })(response, request)
  })
  const { ask } = asking(t, portal.url)
  t.equal(await ask('a', 'b","c'), true)
  t.equal(await ask('a","b', 'c'), false)
})

await t.test('when its time is over it asks again', async (t) => {
  const portal = await startPortal(t, json({ assigned: true }))
  const { ask } = asking(t, portal.url, { cacheSeconds: 0.3 })
  const start = performance.now()
  t.equal(await ask('clinician', 'patient'), true)
  portal.answer = json({ assigned: false })
  await eventually('the new answer', async () => !(await ask('clinician', 'patient')))
  t.ok(performance.now() - start >= 300)
  t.equal(portal.asked.length, 2)
  const never = asking(t, portal.url, { cacheSeconds: 0 })
  await never.ask('clinician', 'patient')
  await never.ask('clinician', 'patient')
  t.equal(portal.asked.length, 4)
})

await t.test('those who ask the same at once share one question', async (t) => {
  const waiting: ServerResponse[] = []
  const portal = await startPortal(t, (response) => waiting.push(response))
  const { ask } = asking(t, portal.url)
  const answers = Promise.all(Array.from({ length: 20 }, () => ask('clinician', 'patient')))
  await eventually('the question', () => waiting.length > 0)
  for (const response of waiting)
    json({ assigned: true })(response, portal.asked[0] as IncomingMessage)
  t.same(new Set(await answers), new Set([true]))
  t.equal(portal.asked.length, 1)
})

const raw =
  (text: string, status = 200): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(text)
  }

const noAnswers: Readonly<Record<string, Answer>> = {
  'a fault of the portal’s': json({ assigned: true }, 500),
  'a portal that is away': json({ assigned: true }, 503),
  'a token it does not take': json({ assigned: false }, 401),
  'a path it does not know': json({ assigned: false }, 404),
  'another success': json({ assigned: true }, 203),
  'no content': (response) => response.writeHead(204).end(),
  'no body': raw(''),
  'no JSON': raw('<html>Sign in</html>'),
  'JSON cut short': raw('{"assigned": tr'),
  null: raw('null'),
  'a bare word': raw('true'),
  'a list': raw('[true]'),
  'no assigned': json({}),
  'a word for it': json({ assigned: 'true' }),
  'a number for it': json({ assigned: 1 }),
  'null for it': json({ assigned: null }),
  'more than 64 KiB': json({ assigned: true, padding: 'x'.repeat(65_536) }),
  'a connection cut off': (response) => response.destroy(),
  'an answer cut off': (response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"assigned": true}', () => {
      response.destroy()
    })
  },
}

for (const [what, answer] of Object.entries(noAnswers)) {
  await t.test(`${what} is no answer, and is not remembered`, async (t) => {
    const portal = await startPortal(t, answer)
    const { ask, problems, lines } = asking(t, portal.url)
    await t.rejects(ask('clinician-4711', 'patient-0815'), unavailable)
    t.equal(problems.length, 1, 'is told')
    t.notMatch(JSON.stringify(lines), /service-token|0815|4711/, 'without ids or secrets')
    portal.answer = json({ assigned: true })
    t.equal(await ask('clinician-4711', 'patient-0815'), true)
  })
}

await t.test('a redirect is not followed: the token goes nowhere else', async (t) => {
  const elsewhere = await startPortal(t, json({ assigned: true }))
  for (const status of [301, 302, 303, 307, 308]) {
    const portal = await startPortal(t, (response) => {
      response.writeHead(status, { location: elsewhere.url }).end()
    })
    const { ask } = asking(t, portal.url)
    await t.rejects(ask('clinician', 'patient'), unavailable, String(status))
  }
  t.equal(elsewhere.asked.length, 0)
})

await t.test('the time limit holds for the whole answer', async (t) => {
  const slow: Readonly<Record<string, Answer>> = {
    'no head': () => undefined,
    'no end': (response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => {
        clearInterval(timer)
      })
    },
  }
  for (const [what, answer] of Object.entries(slow)) {
    const portal = await startPortal(t, answer)
    const { ask, problems } = asking(t, portal.url, { timeoutMs: 300 })
    const start = performance.now()
    await t.rejects(ask('clinician', 'patient'), unavailable, what)
    const took = performance.now() - start
    t.ok(took >= 290 && took < 3000, `${what}: after ${Math.round(took)} ms`)
    t.match(problems, [{ name: 'TimeoutError' }])
  }
})

await t.test('where nobody listens, it says so', async (t) => {
  const portal = await startPortal(t, json({ assigned: true }))
  const gone = createServer()
  gone.listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const address = gone.address()
  gone.close()
  await once(gone, 'close')
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const { ask } = asking(t, portal.url.replace(/:\d+\//, `:${port}/`))
  await t.rejects(ask('clinician', 'patient'), unavailable)
})

await t.test('closing waits for the question under way', async (t) => {
  const waiting: ServerResponse[] = []
  const portal = await startPortal(t, (response) => waiting.push(response))
  const assignments = portalAssignments({
    url: portal.url,
    token: undefined,
    timeoutMs: 5000,
    cacheSeconds: 30,
    log: listener().log,
  })
  const answer = assignments.isAssigned('clinician', 'patient')
  await eventually('the question', () => waiting.length > 0)
  const closed = assignments.close()
  const [response] = waiting
  response?.end('{"assigned": true}')
  t.equal(await answer, true)
  await closed
})
