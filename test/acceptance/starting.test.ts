import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hasBytes } from './support/checks.js'
import { pdf } from './support/content.js'
import { filePath, personOf } from './support/people.js'
import { type Settings, startServer } from './support/server.js'

// What cannot be started says why, in words for whoever runs it, and ends with 1.

const server = await startServer({}, { asNew: true })
t.teardown(() => server.close())
const anna = personOf(server, 'anna')
const data = pdf('sealed', 300_000)
const path = filePath(await anna.file(data))

/** Fails to start with these settings; what it said, without its log. */
async function refusal(t: Test, settings: Settings): Promise<string> {
  await server.stop()
  const before = server.logs().length
  await t.rejects(server.start(settings), /did not become ready/)
  t.equal(await server.stop(), 1, 'exit code')
  const lines = server.logs().slice(before).split('\n')
  const said = lines.filter((line) => !line.startsWith('{')).join('\n')
  t.notMatch(said, /^ +at |node:|\.js:\d/m, 'no stack')
  for (const [name, value] of Object.entries({ ...settings, JWT_SECRET: server.secret })) {
    if (/KEY|SECRET|URL/.test(name)) t.notOk(said.includes(value), `not the value of ${name}`)
  }
  return said
}

const newKey = () => randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_')

await t.test('a port in use', async (t) => {
  const other = createServer()
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const address = other.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  t.match(await refusal(t, { PORT: String(port) }), /^The port is in use .*\bPORT\b.*\n$/)
})

await t.test('an address of another machine', async (t) => {
  t.match(await refusal(t, { HOST: '192.0.2.1' }), /^HOST is not an address .*\n$/)
})

await t.test('master keys that do not open what is there', async (t) => {
  const said = await refusal(t, { MASTER_KEYS: newKey() })
  t.match(said, /^No master key given opens .*\bMASTER_KEYS\b.*\n$/)
})

await t.test('settings that are wrong, all of them at once', async (t) => {
  const said = await refusal(t, {
    PORT: 'margarethe',
    MAX_FILE_SIZE_MB: '-1',
    MASTER_KEYS: 'not-a-fernet-key',
  })
  t.match(said, /^PORT: /m)
  t.match(said, /^MAX_FILE_SIZE_MB: /m)
  t.match(said, /^MASTER_KEYS: /m)
})

await t.test('a database that is not there', async (t) => {
  const url = 'postgres://strongroom:hush-password@127.0.0.1:1/strongroom'
  const said = await refusal(t, { DATABASE_URL: url })
  t.match(said, /^The database cannot be used.*\bDATABASE_URL\b.*\(nothing listens there\)\n$/)
  t.notMatch(said, 'hush-password')
})

await t.test('a folder of sealed files that is a file', async (t) => {
  const file = join(server.dataDir, 'no-folder')
  await writeFile(file, '')
  const said = await refusal(t, { FILE_STORAGE_PATH: file })
  t.match(said, /^The place of sealed files .*\bFILE_STORAGE_PATH\b.*\(E[A-Z]+\)\n$/)
})

await t.test('none of this has done any harm', async (t) => {
  await server.start()
  hasBytes(t, await anna.get(path), data)
})

if (server.database === undefined) {
  await t.test('a folder that another process has', async (t) => {
    const second = startServer({ DATA_DIR: server.dataDir })
    await t.rejects(second, /did not become ready:\n(?!.*^ +at ).*\b(?:in use|another process)\b/ms)
    hasBytes(t, await anna.get(path), data)
  })
}
