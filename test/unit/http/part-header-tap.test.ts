import t from 'tap'
import { boundaryIn, partHeaderTap } from '../../../src/http/multipart/part-header-tap.js'

const parts = [
  { digest: 'sha-256=:A:', body: '' },
  { digest: undefined, body: '\r\n--limi' },
  { digest: 'sha-256=:B:', body: '\r\n\r\n--\r\n--limi\r\n-\r\n' },
  { digest: 'sha-512=:C:', body: `${'x'.repeat(70)}\r` },
  { digest: undefined, body: 'Content-Digest: sha-256=:NO:\r\n\r\n' },
  { digest: 'sha-256=:D:', body: 'x--limit' },
]
const expected = parts.map(({ digest }) => digest)

const form = Buffer.from(
  parts
    .map(({ digest, body }, i) => {
      const header = digest === undefined ? '' : `\r\ncontent-DIGEST: ${digest} `
      return `--limit\r\nContent-Disposition: form-data; name="f${i}"${header}\r\n\r\n${body}\r\n`
    })
    .join('') + '--limit--\r\n--limit\r\nnothing after the end counts',
)

void t.test('tells where a part declares no type', (t) => {
  const tap = partHeaderTap('limit')
  const part = (headers: string) =>
    `--limit\r\nContent-Disposition: form-data; name="f"${headers}\r\n\r\nbody\r\n`
  tap.feed(Buffer.from(`${part('')}${part('\r\nCONTENT-type: text/plain')}--limit--\r\n`))
  t.same([tap.headers(0)?.declaresType, tap.headers(1)?.declaresType], [false, true])
  t.end()
})

function digestsOf(chunks: Buffer[]): (string | undefined)[] {
  const tap = partHeaderTap('limit')
  for (const chunk of chunks) tap.feed(chunk)
  t.equal(tap.headers(parts.length), undefined)
  return parts.map((_, i) => tap.headers(i)?.contentDigest)
}

void t.test('finds the digests in chunks of any size', (t) => {
  for (let size = 1; size <= form.length; size++) {
    const count = Math.ceil(form.length / size)
    const chunks = Array.from({ length: count }, (_, i) => form.subarray(i * size, (i + 1) * size))
    t.same(digestsOf(chunks), expected, `chunks of ${size}`)
  }
  t.end()
})

void t.test('finds the digests wherever the form is split', (t) => {
  for (let split = 0; split <= form.length; split++) {
    t.same(digestsOf([form.subarray(0, split), form.subarray(split)]), expected, `at ${split}`)
  }
  t.end()
})

void t.test('looks no further when stopped', (t) => {
  const tap = partHeaderTap('limit')
  tap.stop()
  tap.feed(form)
  t.equal(tap.headers(0), undefined)
  t.end()
})

void t.test('a header block has a limit, also where it never ends', (t) => {
  const tap = partHeaderTap('limit')
  tap.feed(Buffer.from('--limit\r\nX: '))
  const feed = () => {
    for (let i = 0; i < 20; i++) tap.feed(Buffer.alloc(1_024, 'y'))
  }
  t.throws(feed, { code: 'malformed_multipart' })
  t.end()
})

void t.test('an odd block is malformed, however it arrives', (t) => {
  const disposition = 'Content-Disposition: form-data; name="a"'
  for (const block of [
    '',
    'X: y',
    disposition,
    `${disposition}\r\n folded`,
    `${disposition}\r\n${disposition}`,
    `${disposition}\r\nX: \0`,
    `${disposition}\r\n--limit\r\n${disposition}`,
    "Content-Disposition: form-data; name*=UTF-8''a%0Ab",
  ]) {
    const end = block === disposition ? '\r\n--limit--' : '\r\n\r\nx\r\n--limit--'
    const bytes = Buffer.from(`--limit\r\n${block}${end}`)
    for (const size of [1, 5, bytes.length]) {
      const feed = () => {
        const tap = partHeaderTap('limit')
        for (let i = 0; i < bytes.length; i += size) tap.feed(bytes.subarray(i, i + size))
        if (block === disposition) tap.feed(Buffer.from('\r\n\r\n'))
      }
      t.throws(feed, { code: 'malformed_multipart' }, JSON.stringify(block))
    }
  }
  t.end()
})

void t.test('takes the boundary that the library takes', (t) => {
  t.equal(boundaryIn('multipart/form-data; boundary=limit'), 'limit')
  t.equal(boundaryIn('multipart/form-data;charset=utf-8; BOUNDARY="a b"'), 'a b')
  t.throws(() => boundaryIn('multipart/form-data; boundary="a "'), { code: 'malformed_multipart' })
  t.end()
})
