import { appendFile, mkdtemp, open, readFile, rename, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { scrub } from '../../src/files/scrub.js'
import { createMigratedDatabase } from '../helpers/databases.js'
import { randomOf } from '../helpers/random.js'
import { holds, makeService } from '../helpers/service.js'

// One bit is flipped somewhere among many files, and a scrub must name its file and its segment, and
// nothing else. Where a segment lies is computed here, from docs/FORMAT.md.
// SCRUB_FILES=1000 SCRUB_ROUNDS=60 for the soak; SEED repeats it all.

const count = Number(process.env['SCRUB_FILES'] ?? 100)
const rounds = Number(process.env['SCRUB_ROUNDS'] ?? 30)
const seed = Number(process.env['SEED'] ?? 31337)
const random = randomOf(seed)
const below = (n: number) => Math.floor(random() * n)

const header = 32
const segment = 65_536
/** Version, time, IV, ciphertext of a multiple of 16 past data and label, HMAC. */
const tokenOf = (data: number) => 1 + 8 + 16 + (16 * Math.floor((data + 32) / 16) + 16) + 32
const sealedSegment = tokenOf(segment)

interface Sealed {
  readonly fileId: string
  readonly sealedId: string
  readonly path: string
  readonly size: number
}

const lastOf = ({ size }: Sealed) => Math.max(0, Math.ceil(size / segment) - 1)
const lengthOf = (file: Sealed) => {
  const last = lastOf(file)
  return header + last * sealedSegment + tokenOf(file.size - last * segment)
}

/** What a scrub must say of a byte of the blob that is not as it was. */
function placeOfByte(at: number): readonly [segment: number | null, reason: string] {
  if (at < header) return [null, 'header']
  const index = Math.floor((at - header) / sealedSegment)
  const isVersion = (at - header) % sealedSegment === 0
  return [index, isVersion ? 'malformed' : 'unauthentic']
}

type Place = readonly [fileId: string, segment: number | string | null, reason: string]

interface Damage {
  readonly kind: string
  readonly place: Place
  readonly undo: () => Promise<void>
}

type Maker = (file: Sealed) => Promise<Damage>

async function flip(path: string, at: number, bit: number): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    await handle.read(byte, 0, 1, at)
    await handle.write(Buffer.from([(byte[0] ?? 0) ^ (1 << bit)]), 0, 1, at)
  } finally {
    await handle.close()
  }
}

/** One bit of the blob, at the byte that `where` draws. */
const flipped =
  (kind: string, where: (file: Sealed) => number): Maker =>
  async (file) => {
    const [at, bit] = [where(file), below(8)]
    await flip(file.path, at, bit)
    const place = [file.fileId, ...placeOfByte(at)] as const
    return { kind, place, undo: () => flip(file.path, at, bit) }
  }

/** The start of a segment that is drawn. */
const someToken = (file: Sealed) => header + below(lastOf(file) + 1) * sealedSegment

const endOfToken = (file: Sealed, start: number) => Math.min(start + sealedSegment, lengthOf(file))

const inBlob: readonly Maker[] = [
  flipped('anywhere', (file) => below(lengthOf(file))),
  flipped('anywhere', (file) => below(lengthOf(file))),
  flipped('header', () => below(header)),
  flipped('version of a token', someToken),
  flipped('time of a token', (file) => someToken(file) + 1 + below(8)),
  flipped('IV', (file) => someToken(file) + 9 + below(16)),
  flipped('ciphertext', (file) => someToken(file) + 25 + below(32)),
  flipped('HMAC', (file) => endOfToken(file, someToken(file)) - 1 - below(32)),
  flipped('last byte', (file) => lengthOf(file) - 1),
  async (file) => {
    const whole = await readFile(file.path)
    const left = below(whole.length)
    await truncate(file.path, left)
    const place: Place = [file.fileId, left < header ? null : lastOf(file), 'cut']
    return {
      ...{ kind: 'cut', place },
      undo: () => appendFile(file.path, whole.subarray(left)),
    }
  },
  async (file) => {
    await appendFile(file.path, Buffer.from([below(256)]))
    const place: Place = [file.fileId, lastOf(file), 'trailing']
    return { kind: 'a byte more', place, undo: () => truncate(file.path, lengthOf(file)) }
  },
  async (file) => {
    const away = `${file.path}.away`
    await rename(file.path, away)
    const place: Place = [file.fileId, null, 'missing']
    return { kind: 'gone', place, undo: () => rename(away, file.path) }
  },
]

/** A bit of what the database holds: the sealed metadata, and the wrapped key of the file. */
function inDatabase(db: Database): readonly Maker[] {
  return [
    async ({ fileId, sealedId }) => {
      const [row] = await db.rows<{ n: number }>(
        {
          name: 'flips-metadata-length',
          text: 'SELECT length(metadata) AS n FROM file_versions WHERE sealed_id = $1',
        },
        [sealedId],
      )
      const [at, bit] = [below(row?.n ?? 0), below(8)]
      const change = () =>
        db.script(`UPDATE file_versions
          SET metadata = set_byte(metadata, ${at}, get_byte(metadata, ${at}) # ${1 << bit})
          WHERE sealed_id = '${sealedId}'`)
      await change()
      const reason = at === 0 ? 'malformed' : 'unauthentic'
      return { kind: 'metadata', place: [fileId, 'metadata', reason], undo: change }
    },
    async ({ fileId, sealedId }) => {
      const [row] = await db.rows<{ wrapped: string }>(
        {
          name: 'flips-wrapped',
          text: 'SELECT wrapped FROM wrapped_file_keys WHERE sealed_id = $1',
        },
        [sealedId],
      )
      const was = row?.wrapped ?? ''
      const bytes = Buffer.from(was, 'latin1')
      const at = below(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(7))
      const write = { name: 'flips-rewrap', text: setWrapped }
      await db.rows(write, [bytes.toString('latin1'), sealedId])
      const undo = async () => {
        await db.rows(write, [was, sealedId])
      }
      return { kind: 'wrapped key', place: [fileId, 'key', anyReason], undo }
    },
  ]
}

const setWrapped = 'UPDATE wrapped_file_keys SET wrapped = $1 WHERE sealed_id = $2'
/** Base64 text breaks in its form or in its content. */
const anyReason = 'malformed or unauthentic'
const wrapped = new Set(['malformed', 'unauthentic'])

const edges = [1, 32, segment - 1, segment, segment + 1, 2 * segment, 3 * segment + 5]

function sizeOf(n: number): number {
  const edge = edges[n]
  if (edge !== undefined) return edge
  return random() < 0.5 ? 1 + below(20_000) : 1 + below(5 * segment)
}

/** Files made by the service's own code, several of each person. */
async function makeFiles(t: Test) {
  const test = await createMigratedDatabase('embedded')
  t.teardown(() => test.drop())
  const database = await test.open()
  t.teardown(() => database.close())
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-flips-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const service = await makeService(database, folder)
  const files: Sealed[] = []
  for (let n = 0; n < count; n++) {
    // No two files of a person are the same, so that also the empty one is stored once.
    const size = n === 0 ? 0 : sizeOf(n - 1)
    const content = `${n} `.padEnd(size, 'text ').slice(0, size)
    const made = await holds(service, n < 20 ? `first-${n}` : `person-${n % 20}`, content)
    const { fileId, sealedId } = made
    const path = join(folder, sealedId.slice(0, 2), sealedId.slice(2, 4), sealedId)
    files.push({ fileId, sealedId, path, size })
  }
  return { database, service, files }
}

await t.test(
  `${count} files, ${rounds} rounds, seed ${seed}`,
  { timeout: 3_000_000 },
  async (t) => {
    const { database, service, files } = await makeFiles(t)
    const { db, blobs, open: openEntry } = service
    const log = { info: () => undefined, error: () => undefined }
    const run = () => scrub({ db, blobs, openEntry, log })({ bytesPerSecond: 10 ** 10 })
    const makers = [...inBlob, ...inDatabase(database)]
    const kinds = new Map<string, number>()
    const begin = performance.now()

    const clean = await run()
    t.match(clean, { checked: count, damaged_files: 0, damaged: [] }, 'all is sound at first')
    t.equal(
      clean.bytes,
      files.reduce((sum, { size }) => sum + size, 0),
    )
    t.comment(`one scrub: ${clean.bytes} bytes in ${Math.round(performance.now() - begin)} ms`)

    let damages = 0
    for (let round = 0; round < rounds; round++) {
      // One alone in every other round, else several, each in a file of its own.
      const hit = new Set<Sealed>()
      const wanted = round % 2 === 0 ? 1 : Math.min(2 + below(8), count)
      while (hit.size < wanted) hit.add(files[below(files.length)] ?? raise())
      const made: Damage[] = []
      for (const file of hit) made.push(await (makers[damages++ % makers.length] ?? raise)(file))
      for (const { kind } of made) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      const report = await run()
      const found = report.damaged.map(({ file_id, version, segment: where, reason }): Place => {
        if (version !== 1) throw new Error(`version ${version}`)
        return [file_id, where, where === 'key' && wrapped.has(reason) ? anyReason : reason]
      })
      const expected = made.map(({ place }) => place)
      const what = made.map(({ kind }) => kind).join(', ')
      t.strictSame(found.sort(), expected.sort(), `round ${round}: ${what}: that and nothing else`)
      t.equal(report.damaged_files, made.length)
      for (const { undo } of made) await undo()
    }
    t.match(await run(), { checked: count, damaged_files: 0 }, 'all is sound again')
    const seconds = Math.round((performance.now() - begin) / 1000)
    t.comment(`${damages} damages in ${seconds} s: ${JSON.stringify([...kinds])}`)
  },
)

function raise(): never {
  throw new Error('nothing to draw from')
}
