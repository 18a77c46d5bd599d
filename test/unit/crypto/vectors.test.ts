import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { CryptoError } from '../../../src/crypto/crypto-error.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { openRange } from '../../../src/crypto/open-stream.js'
import { openMetadata } from '../../../src/crypto/sealed-metadata.js'
import {
  bytewiseAtBounds,
  collectUntilError,
  handMadeFile,
  patternOf,
  refusalOf,
  storeOf,
} from '../../helpers/sealed-files.js'

interface Vectors {
  seconds: number
  segment_size_log2: number
  keys: Record<string, string>
  sealed_ids: Record<string, string>
  files: {
    name: string
    key: string
    sealed_id: string
    segments: {
      from: number
      to: number
      index: number
      flag: number
      sealed_id?: string
      segment_size_log2?: number
      zero?: string
      version?: number
    }[]
    sealed_length: number
    sealed_sha256: string
    sealed?: string
  }[]
  good: { file: string; data_length: number; data_sha256: string }[]
  bad: {
    name: string
    wrong: string
    key: string
    sealed_id: string
    data_length: number
    parts: ([file: string, start: number, end: number] | ['hex', string])[]
    sealed_sha256: string
    claimed_length?: number
    reason: string
    segment?: number
  }[]
  metadata: {
    data: string
    good: string
    bad: { name: string; wrong: string; token: string; reason: string }[]
  }
}

const path = new URL('../../vectors/sealed-files.json', import.meta.url)
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors
const log2 = vectors.segment_size_log2
const feeds = [
  ['whole', Number.POSITIVE_INFINITY],
  ['in chunks', 4093],
  ['byte by byte', bytewiseAtBounds],
] as const

const keyOf = (name: string) => FernetKey.fromText(entry(vectors.keys, name))
const idOf = (name: string) => entry(vectors.sealed_ids, name)
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function entry(values: Record<string, string>, name: string): string {
  const value = values[name]
  if (value === undefined) throw new Error(`The vectors have no ${name}`)
  return value
}

const files = new Map(
  vectors.files.map((file) => {
    const segments = file.segments.map((segment, position) => ({
      data: patternOf(segment.to - segment.from, segment.from),
      index: segment.index,
      flag: segment.flag,
      iv: createHash('sha256').update(`${file.name}/${position}`).digest().subarray(0, 16),
      seconds: vectors.seconds,
      sealedId: idOf(segment.sealed_id ?? file.sealed_id),
      segmentSizeLog2: segment.segment_size_log2 ?? log2,
      ...(segment.zero === undefined ? {} : { zero: segment.zero }),
      ...(segment.version === undefined ? {} : { version: segment.version }),
    }))
    return [file.name, handMadeFile(keyOf(file.key), idOf(file.sealed_id), log2, segments)]
  }),
)

function bytesOf(name: string): Buffer {
  const bytes = files.get(name)
  if (bytes === undefined) throw new Error(`The vectors have no file ${name}`)
  return bytes
}

await t.test('another writer of the format makes the same files', (t) => {
  for (const file of vectors.files) {
    const bytes = bytesOf(file.name)
    t.equal(bytes.length, file.sealed_length, `${file.name}: length`)
    t.equal(sha256(bytes), file.sealed_sha256, `${file.name}: bytes`)
    if (file.sealed !== undefined) t.equal(bytes.toString('base64'), file.sealed)
  }
  t.end()
})

for (const [feed, chunkLength] of feeds) {
  await t.test(`good files open, read ${feed}`, async (t) => {
    for (const good of vectors.good) {
      const store = storeOf(bytesOf(good.file), chunkLength)
      const { given, error } = await collectUntilError(
        openRange({
          key: keyOf('file'),
          sealedId: idOf('this'),
          sealedBytes: store,
          dataLength: good.data_length,
          start: 0,
          end: good.data_length,
        }),
      )
      t.equal(error, undefined, good.file)
      t.equal(sha256(given), good.data_sha256, good.file)
    }
  })

  await t.test(`bad files are refused, read ${feed}`, async (t) => {
    for (const bad of vectors.bad) {
      const bytes = Buffer.concat(
        bad.parts.map((part) =>
          part.length === 2
            ? Buffer.from(part[1], 'hex')
            : bytesOf(part[0]).subarray(part[1], part[2]),
        ),
      )
      t.equal(sha256(bytes), bad.sealed_sha256, `${bad.name}: the vector`)
      const store = storeOf(bytes, chunkLength, bad.claimed_length)
      const { given, error } = await collectUntilError(
        openRange({
          key: keyOf(bad.key),
          sealedId: idOf(bad.sealed_id),
          sealedBytes: store,
          dataLength: bad.data_length,
          start: 0,
          end: bad.data_length,
        }),
      )
      t.ok(error instanceof CryptoError, bad.name)
      if (!(error instanceof CryptoError)) continue
      t.equal(error.reason, bad.reason, `${bad.name}: ${bad.wrong}`)
      t.equal(error.segment, bad.segment, `${bad.name}: segment`)
      t.equal(error.sealedId, idOf(bad.sealed_id), `${bad.name}: sealed id`)
      const before = Math.min(bad.data_length, (bad.segment ?? 0) * 2 ** log2)
      t.ok(given.length <= before, `${bad.name}: nothing of the bad segment is given out`)
      t.ok(given.equals(patternOf(given.length)), `${bad.name}: what was given out is right`)
      t.equal(store.open, 0, `${bad.name}: the store's read is closed`)
    }
  })
}

await t.test('a file of two segments opens, every byte a chunk of its own', async (t) => {
  const { given, error } = await collectUntilError(
    openRange({
      key: keyOf('file'),
      sealedId: idOf('this'),
      sealedBytes: storeOf(bytesOf('S+1'), 1),
      dataLength: 65537,
      start: 0,
      end: 65537,
    }),
  )
  t.equal(error, undefined)
  t.ok(given.equals(patternOf(65537)))
})

await t.test('sealed metadata', (t) => {
  const open = (token: string) =>
    openMetadata(keyOf('file'), idOf('this'), log2, Buffer.from(token, 'base64url'))
  t.equal(open(vectors.metadata.good).toString(), vectors.metadata.data)
  for (const bad of vectors.metadata.bad) {
    t.match(
      refusalOf(() => open(bad.token)),
      { reason: bad.reason, sealedId: idOf('this'), segment: 'metadata' },
      `${bad.name}: ${bad.wrong}`,
    )
  }
  t.end()
})
