import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { precondition, rangeMayBeServed } from '../../../src/http/bytes/conditions.js'

const now = { etag: '"v1"', lastModified: new Date('2026-01-02T03:04:05.678Z') }
const same = 'Fri, 02 Jan 2026 03:04:05 GMT'
const before = 'Fri, 02 Jan 2026 03:04:04 GMT'
const after = 'Fri, 02 Jan 2026 03:04:06 GMT'

type Answer = ReturnType<typeof precondition>
const table: readonly (readonly [IncomingHttpHeaders, Answer])[] = [
  [{}, 'proceed'],
  [{ 'if-match': '"v1"' }, 'proceed'],
  [{ 'if-match': '*' }, 'proceed'],
  [{ 'if-match': '"v0", "v1"' }, 'proceed'],
  [{ 'if-match': '"v0"' }, 'failed'],
  [{ 'if-match': 'W/"v1"' }, 'failed'],
  [{ 'if-match': 'v1' }, 'failed'],
  [{ 'if-match': '' }, 'failed'],
  [{ 'if-unmodified-since': same }, 'proceed'],
  [{ 'if-unmodified-since': after }, 'proceed'],
  [{ 'if-unmodified-since': before }, 'failed'],
  [{ 'if-none-match': '"v1"' }, 'not_modified'],
  [{ 'if-none-match': 'W/"v1"' }, 'not_modified'],
  [{ 'if-none-match': '"v0", W/"v1"' }, 'not_modified'],
  [{ 'if-none-match': '*' }, 'not_modified'],
  [{ 'if-none-match': '"v0"' }, 'proceed'],
  [{ 'if-modified-since': same }, 'not_modified'],
  [{ 'if-modified-since': after }, 'not_modified'],
  [{ 'if-modified-since': before }, 'proceed'],
]

await t.test('each condition by itself', (t) => {
  for (const [headers, answer] of table) {
    t.equal(precondition(headers, now), answer, JSON.stringify(headers))
  }
  t.end()
})

await t.test('the order of RFC 9110, 13.2.2', (t) => {
  const both: readonly (readonly [IncomingHttpHeaders, Answer, string])[] = [
    [{ 'if-match': '"v1"', 'if-unmodified-since': before }, 'proceed', 'If-Match comes first'],
    [{ 'if-match': '"v0"', 'if-unmodified-since': after }, 'failed', 'and decides'],
    [{ 'if-match': '"v0"', 'if-none-match': '"v1"' }, 'failed', 'before If-None-Match'],
    [{ 'if-unmodified-since': before, 'if-none-match': '"v1"' }, 'failed', 'as a date does'],
    [{ 'if-match': '"v1"', 'if-none-match': '"v1"' }, 'not_modified', 'both are looked at'],
    [{ 'if-none-match': '"v0"', 'if-modified-since': after }, 'proceed', 'a tag beats a date'],
    [{ 'if-none-match': '"v1"', 'if-modified-since': before }, 'not_modified', 'either way'],
    [{ 'if-match': '"v1"', 'if-modified-since': same }, 'not_modified', 'a date counts alone'],
  ]
  for (const [headers, answer, why] of both) t.equal(precondition(headers, now), answer, why)
  t.end()
})

await t.test('every form of HTTP-date is read, and nothing else', (t) => {
  for (const early of ['Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    t.equal(precondition({ 'if-unmodified-since': early }, now), 'failed', early)
  }
  const exact = { ...now, lastModified: new Date('1994-11-06T08:49:37Z') }
  for (const form of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ]) {
    t.equal(precondition({ 'if-modified-since': form }, exact), 'not_modified', form)
  }
  for (const other of ['1', '1994', '1994-11-06', 'Sun, 06 Nov 1994 08:49:37', 'yesterday', '']) {
    t.equal(precondition({ 'if-unmodified-since': other }, now), 'proceed', other)
    t.equal(precondition({ 'if-modified-since': '2999-01-01' }, now), 'proceed')
  }
  t.end()
})

await t.test('a range goes with the same strong validator alone', (t) => {
  for (const may of [undefined, '"v1"']) t.ok(rangeMayBeServed(may, now), may ?? 'none')
  for (const not of ['"v0"', 'W/"v1"', before, same, after, '*', 'v1', '', '"v1", "v0"']) {
    t.notOk(rangeMayBeServed(not, now), not)
  }
  t.end()
})
