import t from 'tap'
import { StrongroomError } from '../../src/errors/strongroom-error.js'
import { makeLogger, serializeError } from '../../src/log.js'

const CANARY = 'canary-7f3a'

function capture(logLevel: 'info' | 'warn' = 'info') {
  const lines: string[] = []
  const logger = makeLogger({ logLevel }, { write: (line) => lines.push(line) })
  const last = () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>
  return { logger, lines, last }
}

void t.test('lines are JSON with level and time as words', (t) => {
  const { logger, last, lines } = capture('warn')
  logger.info('quiet')
  t.equal(lines.length, 0)
  logger.warn({ file_id: 'f1' }, 'slow')
  t.match(last(), { level: 'warn', msg: 'slow', file_id: 'f1', time: /^\d{4}-\d\d-\d\dT.*Z$/ })
  t.end()
})

void t.test('a request is its method, route and id', (t) => {
  const { logger, last, lines } = capture()
  const req = {
    id: 'r1',
    method: 'GET',
    url: `/api/files/1?userEmail=${CANARY}`,
    headers: { authorization: CANARY, cookie: CANARY },
    query: { name: CANARY },
    routeOptions: { url: '/api/files/:file_id' },
  }
  logger.info({ req, res: { statusCode: 200, headers: { 'set-cookie': CANARY } } }, 'done')
  t.same(last()['req'], { method: 'GET', route: '/api/files/:file_id', request_id: 'r1' })
  t.same(last()['res'], { status: 200 })
  logger.info({ req: { method: 'GET', url: CANARY } }, 'none')
  t.same(last()['req'], { method: 'GET', route: 'unmatched' })
  t.notOk(lines.join().includes(CANARY))
  t.end()
})

void t.test('credentials are taken out wherever they stand', (t) => {
  const { logger, last, lines } = capture()
  const headers = { authorization: CANARY, cookie: CANARY, 'set-cookie': CANARY, host: 'h' }
  logger.info({ headers, outbound: { headers }, authorization: CANARY, call: { token: CANARY } })
  t.match(last(), {
    headers: { authorization: '[redacted]', host: 'h' },
    authorization: '[redacted]',
  })
  t.notOk(lines.join().includes(CANARY))
  t.end()
})

void t.test('an error is its code, context and frames, never its message', (t) => {
  const { logger, last, lines } = capture()
  const cause = new Error(`bad ${CANARY}\n    at ${CANARY} (/x/y.js:1:2)`)
  const error = new StrongroomError('damaged', { context: { sealed_id: 's1', segment: 3 }, cause })
  logger.error(error)
  t.match(last(), {
    msg: 'failed',
    err: {
      type: 'StrongroomError',
      code: 'damaged',
      context: { sealed_id: 's1', segment: 3 },
      stack: /^ {4}at .*log\.test\.ts:\d+:\d+/,
      cause: { type: 'Error', stack: /log\.test\.ts/ },
    },
  })
  logger.error({ err: new SyntaxError(CANARY) })
  t.match(last(), { msg: 'failed', err: { type: 'SyntaxError' } })
  logger.error({ err: cause }, cause.message)
  t.match(last(), { msg: 'failed' })
  logger.error({ err: cause }, 'upload failed')
  t.match(last(), { msg: 'upload failed' })
  logger.error({ err: CANARY })
  t.match(last(), { err: { type: 'string' } })
  t.notOk(lines.join().includes(CANARY))
  t.end()
})

void t.test('of foreign errors only plain words are kept', (t) => {
  const error = Object.assign(new Error(CANARY), {
    code: '23505',
    table: 'files',
    constraint: 'files_owner_fingerprint',
    syscall: `open ${CANARY}`,
    detail: CANARY,
  })
  const logged = serializeError(error)
  t.match(logged, { code: '23505', table: 'files', constraint: 'files_owner_fingerprint' })
  t.equal(logged.syscall, undefined)
  t.notOk(JSON.stringify(logged).includes(CANARY))
  error.message = 'changed later'
  t.notOk(JSON.stringify(serializeError(error)).includes(CANARY))
  t.end()
})

void t.test('a chain of causes ends', (t) => {
  const error = new Error('round')
  error.cause = error
  t.equal(JSON.stringify(serializeError(error)).split('"cause"').length - 1, 5)
  t.end()
})
