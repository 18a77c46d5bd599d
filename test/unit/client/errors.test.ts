import t from 'tap'
import { filenameIn } from '../../../client/src/content-disposition.js'
import { sha256In } from '../../../client/src/digest-header.js'
import { problemOf, secondsOf } from '../../../client/src/problem.js'
import { contentDisposition } from '../../../src/http/bytes/content-disposition.js'

const problem = (body: unknown, status = 409, headers: Record<string, string> = {}) =>
  problemOf(
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers }),
  )

void t.test('a problem document', async (t) => {
  const error = await problem(
    {
      type: 'urn:strongroom:problem:duplicate_file',
      title: 'These bytes are already stored',
      status: 409,
      code: 'duplicate_file',
      request_id: 'r-1',
      detail: 'More of it',
      file_id: 'f-1',
    },
    409,
    { 'retry-after': '7' },
  )
  t.match(error, {
    name: 'StrongroomError',
    message: 'These bytes are already stored: More of it',
    status: 409,
    code: 'duplicate_file',
    requestId: 'r-1',
    retryAfter: 7,
    extra: { file_id: 'f-1' },
  })
  t.same(Object.keys(error.extra), ['file_id'])
  t.ok(error instanceof Error)
})

void t.test('what a proxy says instead', async (t) => {
  for (const body of ['', '<html>502</html>', '[]', 'null', '"text"', '{"code":17}', '{']) {
    const error = await problem(body, 502, { 'x-request-id': 'r-2' })
    t.match(error, { status: 502, code: 'unexpected_answer', requestId: 'r-2', extra: {} }, body)
    t.notMatch(error.message, /html/)
  }
  const broken = new ReadableStream({
    start: (controller) => {
      controller.error(new Error('cut'))
    },
  })
  t.match(await problemOf(new Response(broken, { status: 503, headers: { 'retry-after': '1' } })), {
    status: 503,
    retryAfter: 1,
  })
})

void t.test('when to come again', (t) => {
  const now = Date.parse('2026-03-01T12:00:00Z')
  for (const [header, seconds] of [
    [null, undefined],
    ['0', 0],
    ['120', 120],
    ['Sun, 01 Mar 2026 12:00:30 GMT', 30],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['-1x', undefined],
  ] as const) {
    t.equal(secondsOf(header, now), seconds, String(header))
  }
  t.end()
})

void t.test('file names as the service writes them', (t) => {
  for (const name of [
    'plain.pdf',
    'Befund "März".pdf',
    "it's (1)*.txt",
    '検査 50%;=,.pdf',
    ' a ',
  ]) {
    t.equal(filenameIn(contentDisposition('attachment', name)), name)
  }
  t.equal(filenameIn('attachment; filename="plain.pdf"'), 'plain.pdf')
  t.equal(filenameIn(`attachment; filename="a.pdf"; filename*=UTF-8''%ff`), 'a.pdf')
  t.equal(filenameIn('inline'), undefined)
  t.equal(filenameIn(null), undefined)
  t.end()
})

void t.test('digests as the service writes them', (t) => {
  const base64 = 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='
  const hex = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  t.equal(sha256In(`sha-256=:${base64}:`), hex)
  t.equal(sha256In(`md5=:abc=:, sha-256=:${base64}:`), hex)
  for (const header of [
    null,
    '',
    `sha-512=:${base64}:`,
    'sha-256=:abc=:',
    `x-sha-256=:${base64}:`,
  ]) {
    t.equal(sha256In(header), undefined, String(header))
  }
  t.end()
})
