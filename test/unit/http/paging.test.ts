import t from 'tap'
import { encodeCursor, pagingOf } from '../../../src/http/schemas/paging.js'

const id = '5f0c7f6e-3c1d-4a55-9a37-0b3a6d1c9e01'
const at = new Date('2026-01-02T03:04:05.678Z')
const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

await t.test('a cursor comes back as the place it was made of', (t) => {
  const cursor = encodeCursor({ at, id })
  t.match(cursor, /^[\w-]+$/)
  t.strictSame(pagingOf({ cursor: cursor ?? '' }).after, { at, id })
  t.equal(encodeCursor(undefined), null)
  t.strictSame(pagingOf({}), { limit: 50, after: undefined })
  t.equal(pagingOf({ limit: '1' }).limit, 1)
  t.equal(pagingOf({ limit: '200' }).limit, 200)
  t.equal(pagingOf({ limit: '1000000' }).limit, 200)
  t.end()
})

await t.test('anything else is refused before a database sees it', (t) => {
  const time = at.getTime()
  const values: unknown[] = [
    ...[null, 1, 'x', {}, [], [time], [time, id, 1], [id, time], { 0: time, 1: id, length: 2 }],
    ...[
      [`${time}`, id],
      [null, id],
      [8.64e15 + 2, id],
      [-8.64e15, id],
      [-1, id],
      [1.5, id],
    ],
    ...[
      [time, 1],
      [time, ''],
      [time, '-'.repeat(36)],
      [time, `${id}0`],
      [time, `${id}\n`],
    ],
    ...[
      [time, id.replaceAll('-', '0')],
      [time, "';drop table files;--aaaaaaaaaaaaa"],
    ],
  ]
  for (const value of values) {
    t.throws(
      () => pagingOf({ cursor: cursorOf(value) }),
      { code: 'invalid_field' },
      JSON.stringify(value),
    )
  }
  const cut = cursorOf([time, id]).slice(0, -4)
  for (const cursor of ['', 'garbage', '!!!', '\0', '%00', cut, '=', '../..', 'ع'.repeat(100)]) {
    t.throws(() => pagingOf({ cursor }), { code: 'invalid_field' }, cursor)
  }
  t.end()
})
