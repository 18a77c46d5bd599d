import { randomBytes } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import t from 'tap'
import { startServer } from './support/server.js'

// What an operator is told by `strongroom doctor`, beside the service and without it.

interface Finding {
  readonly about: string
  readonly state: string
  readonly says: string
  readonly mend?: string
}

const server = await startServer()
t.teardown(() => server.close())

const ask = async (settings: Readonly<Record<string, string>> = {}) => {
  const { code, out, err } = await server.beginCommand(['doctor', '--json'], settings).result
  if (!out.startsWith('[')) throw new Error(`${out}${err}`)
  const findings = JSON.parse(out) as Finding[]
  return { code, findings, wrong: findings.filter(({ state }) => state === 'wrong'), out }
}

await t.test('beside a service that is well', async (t) => {
  const { code, findings, wrong } = await ask()
  t.strictSame(wrong, [])
  t.equal(code, 0)
  const about = new Set(findings.map((each) => each.about))
  for (const each of ['settings', 'data', 'keys', 'schema']) t.ok(about.has(each), each)
  if (server.database !== undefined) t.ok(about.has('database') && about.has('clock'))
  const words = await server.command('doctor')
  t.equal(words.code, 0)
  t.match(words.out, / {2}ok {4}.*master keys open what was sealed/)
  t.match(words.out, /\n0 wrong, \d+ to better, \d+ well\n$/)
})

await t.test('settings that are wrong are all that is said', async (t) => {
  const { code, findings } = await ask({ MAX_FILE_SIZE_MB: 'many' })
  t.equal(code, 1)
  t.match(findings[0], { about: 'settings', state: 'wrong', says: /^MAX_FILE_SIZE_MB: expected/ })
  t.notOk(findings.some(({ about }) => about === 'data'))
})

await t.test('a folder that others may look into', async (t) => {
  await chmod(server.dataDir, 0o755)
  const { code, findings } = await ask()
  t.equal(code, 0, 'it serves all the same')
  t.ok(
    findings.some(({ says, mend }) => /open to others/.test(says) && /chmod 700/.test(mend ?? '')),
  )
  await chmod(server.dataDir, 0o700)
})

await t.test('a Redis that is away is no fault of the service', async (t) => {
  const { code, findings, out } = await ask({ REDIS_URL: 'redis://:a-password@127.0.0.1:9/0' })
  t.equal(code, 0)
  t.match(
    findings.filter(({ about }) => about === 'redis'),
    [{ state: 'warning', says: /away \(ECONNREFUSED\)/ }],
  )
  t.notMatch(out, 'a-password')
})

await t.test(
  'without the service: keys that do not fit, a database that is not there',
  async (t) => {
    await server.stop()
    const key = randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
    const shut = await ask({ MASTER_KEYS: key })
    t.equal(shut.code, 1)
    t.match(shut.wrong, [{ about: 'keys', says: /No master key given opens/ }])
    t.notMatch(shut.out, key, 'which are not repeated')
    const none = await ask({ DATABASE_URL: 'postgres://nobody:a-password@127.0.0.1:9/none' })
    t.equal(none.code, 1)
    t.ok(
      none.wrong.some(({ about, mend }) => about === 'database' && /DATABASE_URL/.test(mend ?? '')),
    )
    t.notMatch(none.out, 'a-password')
  },
)
