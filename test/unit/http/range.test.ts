import t from 'tap'
import { parseRange } from '../../../src/http/bytes/range.js'

const size = 1000
const huge = '9'.repeat(30)
const beyond = '9007199254740993'

const satisfied: Record<string, readonly [start: number, end: number]> = {
  'bytes=0-0': [0, 1],
  'bytes=0-': [0, 1000],
  'bytes=0-999': [0, 1000],
  'bytes=999-': [999, 1000],
  'bytes=999-999': [999, 1000],
  'bytes=10-19': [10, 20],
  'bytes=990-5000': [990, 1000],
  'bytes=-1': [999, 1000],
  'bytes=-1000': [0, 1000],
  'bytes=-5000': [0, 1000],
  'BYTES=0-1': [0, 2],
  'bytes= 0-1 ': [0, 2],
  [`bytes=0-${huge}`]: [0, 1000],
  [`bytes=0-${beyond}`]: [0, 1000],
  [`bytes=-${huge}`]: [0, 1000],
  [`bytes=${'0'.repeat(40)}5-6`]: [5, 7],
}

await t.test('a range of the file', (t) => {
  for (const [header, [start, end]] of Object.entries(satisfied)) {
    t.strictSame(parseRange(header, size), { start, end }, header)
  }
  t.end()
})

await t.test('outside the file', (t) => {
  const outside = ['bytes=1000-', 'bytes=1000-1000', `bytes=${beyond}-`, `bytes=${huge}-${huge}`]
  for (const header of [...outside, 'bytes=-0', `bytes=${'9'.repeat(400)}-`]) {
    t.equal(parseRange(header, size), 'unsatisfiable', header)
  }
  for (const header of ['bytes=0-', 'bytes=0-0']) t.equal(parseRange(header, 0), 'unsatisfiable')
  t.end()
})

await t.test('what may be ignored is the whole file', (t) => {
  const ignored = [
    ...['', 'bytes', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=0', 'bytes=--1', 'bytes=1-2-3'],
    ...['bytes=5-4', 'bytes=0-1,3-4', 'bytes=0-1, -1', 'bytes=0 - 1', 'bytes=0x1-2', 'bytes=+1-2'],
    ...['bytes=1.5-2', 'bytes=1e1-20', 'items=0-1', 'bytes 0-1', 'bytes=٠-١'],
  ]
  for (const header of ignored) t.equal(parseRange(header, size), 'whole', header)
  t.equal(parseRange(undefined, size), 'whole')
  t.equal(parseRange('bytes=-5', 0), 'whole', 'the end of an empty file')
  t.end()
})
