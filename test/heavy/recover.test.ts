import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openText, sealText } from '../../src/crypto/fernet.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import { sealMetadata } from '../../src/crypto/sealed-metadata.js'
import { SegmentSealer } from '../../src/crypto/segment-sealer.js'
import { wrapKey } from '../../src/keys/wrapping.js'

/*
 * docs/recover.py opens what the service seals, with Python's `cryptography` and nothing of ours.
 * The interpreter is the system's, where its package manager puts that package.
 */
const python = '/usr/bin/python3'
const script = fileURLToPath(new URL('../../docs/recover.py', import.meta.url))
const S = 65536
const folder = t.testdir()
const masterKey = FernetKey.generate()

interface Sealing {
  sealed: Buffer
  userKey: FernetKey
  rows: {
    user_key: { user: string; version: number; wrapped: string }
    wrapped_file_key: {
      sealed_id: string
      user: string
      user_key_version: number
      basis: 'own' | 'assignment' | 'explicit'
      expires_at: string | null
      wrapped: string
    }
    metadata: string
  }
}

interface SealingOptions {
  readonly user?: string
  readonly expires_at?: string | null
  readonly log2?: number
  /** What the metadata say in place of the truth. */
  readonly said?: { readonly size?: number; readonly sha256?: string }
}

function sealing(
  data: Buffer,
  { user = 'patient-1', expires_at = null, log2 = 16, said = {} }: SealingOptions = {},
): Sealing {
  const [userKey, fileKey, sealed_id] = [FernetKey.generate(), FernetKey.generate(), randomUUID()]
  const sealer = new SegmentSealer({ key: fileKey, sealedId: sealed_id, segmentSizeLog2: log2 })
  const sealed = Buffer.concat([...sealer.update(data), ...sealer.final()])
  const [size, sha256] = [sealer.size, sealer.sha256.toString('hex')]
  const metadata = {
    file_id: randomUUID(),
    version: 1,
    size,
    sha256,
    filename: 'صورة 😀.png',
    ...said,
  }
  const grant = { sealed_id, user, user_key_version: 3, basis: 'own', expires_at } as const
  return {
    sealed,
    userKey,
    rows: {
      user_key: {
        user,
        version: 3,
        wrapped: wrapKey(masterKey, userKey, { use: 'user-key', user, version: 3 }),
      },
      wrapped_file_key: {
        ...grant,
        wrapped: wrapKey(userKey, fileKey, { use: 'file-key', format: 1, ...grant }),
      },
      metadata: sealMetadata(
        fileKey,
        sealed_id,
        log2,
        Buffer.from(JSON.stringify(metadata)),
      ).toString('base64'),
    },
  }
}

interface Recovery {
  run: SpawnSyncReturns<string>
  output: Buffer | undefined
  /** Names of the files in the output's folder. */
  left: string[]
}

let runs = 0
function recover(
  { sealed, rows }: Pick<Sealing, 'sealed' | 'rows'>,
  masterKeys = masterKey.exportText(),
  more: Readonly<Record<string, string>> = {},
): Recovery {
  const own = `${folder}/${runs++}`
  const out = `${own}/out`
  mkdirSync(out, { recursive: true })
  writeFileSync(`${own}/sealed`, sealed)
  writeFileSync(`${own}/rows.json`, JSON.stringify(rows))
  const run = spawnSync(python, [script, `${own}/sealed`, `${own}/rows.json`, `${out}/plain`], {
    env: { MASTER_KEYS: masterKeys, PYTHONUTF8: '1', ...more },
    encoding: 'utf8',
  })
  const output = existsSync(`${out}/plain`) ? readFileSync(`${out}/plain`) : undefined
  if (output) t.equal(statSync(`${out}/plain`).mode & 0o777, 0o600)
  return { run, output, left: readdirSync(out) }
}

await t.test('a sealed file is recovered with its rows and the master key', (t) => {
  for (const size of [0, 1, 16, S - 1, S, S + 1, 2 * S, 2 * S + 1]) {
    const data = randomBytes(size)
    const { run, output } = recover(sealing(data))
    t.equal(run.status, 0, run.stderr)
    t.ok(output?.equals(data), `${size} bytes`)
    t.match(JSON.parse(run.stdout), { size, filename: 'صورة 😀.png' })
  }
  t.end()
})

await t.test('with the default segment size, a grant that ends, and a former master key', (t) => {
  const data = randomBytes(700_000)
  const expires_at = '2031-01-01T00:00:00.000Z'
  const keys = `${FernetKey.generate().exportText()}, ${masterKey.exportText()}`
  const { run, output } = recover(sealing(data, { log2: 18, expires_at }), keys)
  t.equal(run.status, 0, run.stderr)
  t.ok(output?.equals(data))
  t.end()
})

await t.test('where KMS or Vault holds the master key, with what these print', (t) => {
  const data = randomBytes(S + 9)
  const { sealed, rows, userKey } = sealing(data)
  const wrapped = 'kms:0123456789abcdef:AAAA'
  const held = { sealed, rows: { ...rows, user_key: { ...rows.user_key, wrapped } } }
  const USER_KEY = Buffer.from(userKey.exportText(), 'base64url').toString('base64')
  const { run, output } = recover(held, '', { USER_KEY: `${USER_KEY}\n` })
  t.equal(run.status, 0, run.stderr)
  t.ok(output?.equals(data))
  t.match(recover(held).run.stderr, /KMS or Vault must open the user key/)
  t.match(recover({ sealed, rows }, '', { USER_KEY }).run.stderr, /master key is needed/)
  const other = recover(held, '', { USER_KEY: randomBytes(32).toString('base64') })
  t.match(other.run.stderr, /file-key: another key/)
  t.same(other.left, [])
  t.end()
})

await t.test('whatever does not fit leaves nothing behind', (t) => {
  const size = S + 100
  const whole = sealing(randomBytes(size))
  const other = sealing(randomBytes(size), { user: 'patient-2' })
  const flipped = Buffer.from(whole.sealed)
  flipped[S + 200] = (flipped[S + 200] ?? 0) ^ 1
  const { user_key, wrapped_file_key: grant, metadata } = whole.rows
  const wrong: [name: string, sealing: Sealing, says: RegExp][] = [
    ['a flipped byte', { ...whole, sealed: flipped }, /segment 1: another key/],
    ['a cut file', { ...whole, sealed: whole.sealed.subarray(0, -16) }, /segment 1/],
    [
      'cut between segments',
      { ...whole, sealed: whole.sealed.subarray(0, 32 + S + 105) },
      /segment 1/,
    ],
    [
      'a byte too many',
      { ...whole, sealed: Buffer.concat([whole.sealed, Buffer.alloc(1)]) },
      /left over/,
    ],
    ['no header', { ...whole, sealed: Buffer.alloc(9) }, /header/],
    [
      'another version',
      { ...whole, sealed: Buffer.from(whole.sealed).fill('2', 7, 8) },
      /version 1/,
    ],
    ['another file', { ...whole, sealed: other.sealed }, /another sealed file/],
    [
      'metadata of another file',
      { ...whole, rows: { ...whole.rows, metadata: other.rows.metadata } },
      /metadata/,
    ],
    [
      'rows of another user',
      { ...whole, rows: { ...whole.rows, user_key: other.rows.user_key } },
      /another user/,
    ],
    [
      'a user key of another user',
      { ...whole, rows: { ...whole.rows, user_key: { ...user_key, user: 'patient-2' } } },
      /user-key: it says something else/,
    ],
    [
      'another version of the key',
      { ...whole, rows: { ...whole.rows, user_key: { ...user_key, version: 4 } } },
      /user-key: it says something else/,
    ],
    [
      'another basis',
      { ...whole, rows: { metadata, user_key, wrapped_file_key: { ...grant, basis: 'explicit' } } },
      /file-key: it says something else/,
    ],
    [
      'another end',
      {
        ...whole,
        rows: {
          metadata,
          user_key,
          wrapped_file_key: { ...grant, expires_at: '2099-01-01T00:00:00.000Z' },
        },
      },
      /file-key: it says something else/,
    ],
    [
      'a wrapping of another use',
      {
        ...whole,
        rows: {
          metadata,
          user_key: {
            ...user_key,
            wrapped: wrapKey(masterKey, FernetKey.generate(), { use: 'check' }),
          },
          wrapped_file_key: grant,
        },
      },
      /it says something else/,
    ],
    [
      'another size in the metadata',
      sealing(randomBytes(9), { said: { size: 8 } }),
      /another length/,
    ],
    [
      'another SHA-256 in the metadata',
      sealing(randomBytes(9), { said: { sha256: '00' } }),
      /SHA-256/,
    ],
  ]
  for (const [name, it, says] of wrong) {
    const { run, left } = recover(it)
    t.equal(run.status, 1, name)
    t.match(run.stderr, says, name)
    t.same(left, [], `${name}: nothing is left`)
  }
  const { run, left } = recover(whole, FernetKey.generate().exportText())
  t.match(run.stderr, /user-key: another key/)
  t.same(left, [])
  t.end()
})

await t.test('Python’s Fernet reads our tokens, and we read its', (t) => {
  const key = FernetKey.generate()
  const program = [
    'import sys',
    'from cryptography.fernet import Fernet',
    'f = Fernet(sys.argv[1])',
    'print(f.decrypt(sys.argv[2].encode()).hex())',
    'print(f.encrypt(bytes(range(256))).decode())',
  ].join('\n')
  const ours = randomBytes(77)
  const run = spawnSync(python, ['-c', program, key.exportText(), sealText(key, ours)], {
    encoding: 'utf8',
  })
  const [theyRead = '', theirs = ''] = run.stdout.split('\n')
  t.equal(theyRead, ours.toString('hex'), run.stderr)
  t.same(openText(key, theirs), Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)))
  t.end()
})
