import t from 'tap'
import { ConnectionError, IntegrityError, StrongroomError } from '../../../client/src/errors.js'
import { mayRepeat, pause, retrying, waitBefore } from '../../../client/src/retry.js'

const said = (status: number, code: string, retryAfter?: number) =>
  new StrongroomError({ status, code, title: code, retryAfter })

void t.test('what may be repeated', (t) => {
  for (const [error, refused, always] of [
    [new ConnectionError(), false, true],
    [said(429, 'too_many_requests', 1), true, true],
    [said(429, 'too_many_requests'), true, true],
    [said(503, 'too_many_uploads', 5), true, true],
    [said(503, 'unexpected_answer'), false, false],
    [said(503, 'commit_unknown', 5), false, true],
    [said(409, 'in_progress', 1), true, true],
    [said(409, 'duplicate_file', 1), false, false],
    [said(500, 'internal'), false, false],
    [said(502, 'unexpected_answer'), false, false],
    [said(422, 'digest_mismatch'), false, false],
    [new IntegrityError('digest'), false, false],
    [new TypeError('x'), false, false],
    [undefined, false, false],
  ] as const) {
    t.equal(mayRepeat(error, 'refused'), refused, `${String(error)}, refused`)
    t.equal(mayRepeat(error, 'always'), always, `${String(error)}, always`)
    t.equal(mayRepeat(error, 'never'), false, `${String(error)}, never`)
  }
  t.end()
})

void t.test('how long it waits', (t) => {
  const retry = { attempts: 6, baseMs: 100, mostMs: 1000 }
  const most = (attempt: number) => waitBefore(new ConnectionError(), attempt, retry, () => 1)
  t.same([1, 2, 3, 4, 5, 6].map(most), [100, 200, 400, 800, 1000, undefined])
  t.equal(
    waitBefore(new ConnectionError(), 1, retry, () => 0),
    0,
  )
  t.equal(
    waitBefore(said(503, 'x', 0.5), 1, retry, () => 0.5),
    550,
    'never before it was told to',
  )
  t.equal(
    waitBefore(said(429, 'x', 2), 1, retry, () => 0),
    undefined,
    'too long',
  )
  t.equal(
    waitBefore(said(429, 'x', 30), 3, {}, () => 0),
    30_000,
  )
  t.equal(
    waitBefore(said(429, 'x', 31), 3, {}, () => 0),
    undefined,
  )
  t.equal(
    waitBefore(new ConnectionError(), 4, {}, () => 0),
    undefined,
  )
  t.end()
})

void t.test('attempts', async (t) => {
  const retry = { attempts: 3, baseMs: 1 }
  const options = { retry, signal: undefined, repeatable: () => 'always' as const }
  let count = 0
  const failing = (times: number) => () => {
    count++
    return count <= times ? Promise.reject(new ConnectionError()) : Promise.resolve('done')
  }
  t.equal(await retrying(failing(2), options), 'done')
  t.equal(count, 3)
  count = 0
  await t.rejects(retrying(failing(9), options), { name: 'ConnectionError' })
  t.equal(count, 3)
  count = 0
  await t.rejects(retrying(failing(9), { ...options, repeatable: () => 'never' }))
  t.equal(count, 1)
})

void t.test('who leaves while it waits', async (t) => {
  const stop = new AbortController()
  const reason = new Error('left')
  const work = retrying(() => Promise.reject(said(503, 'x', 5)), {
    retry: {},
    signal: stop.signal,
    repeatable: () => 'always',
  })
  setTimeout(() => {
    stop.abort(reason)
  }, 20)
  const start = performance.now()
  t.equal(await work.catch((error: unknown) => error), reason)
  t.ok(performance.now() - start < 2000)
  t.equal(await pause(1, stop.signal).catch((error: unknown) => error), reason)
  let asked = false
  const never = retrying(
    () => {
      asked = true
      return Promise.resolve()
    },
    { retry: {}, signal: stop.signal, repeatable: () => 'always' },
  )
  t.equal(await never.catch((error: unknown) => error), reason)
  t.notOk(asked)
})
