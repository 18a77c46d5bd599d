import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { eventually } from './support/eventually.js'
import { personOf } from './support/people.js'
import { startServer } from './support/server.js'

// Somebody else keeps the heads of the log: they are posted, and made up for where that failed.

const kept: string[] = []
const is = { down: false }
let asked = 0
const keeper = createServer((request, response) => {
  void text(request).then((body) => {
    asked += 1
    if (!is.down) kept.push(body)
    response.writeHead(is.down ? 500 : 204).end()
  })
}).listen(0, '127.0.0.1')
await once(keeper, 'listening')
t.teardown(() => keeper.close())
const address = keeper.address()
const port = typeof address === 'object' ? address?.port : 0

const server = await startServer({
  AUDIT_ANCHOR: `http://127.0.0.1:${port}/heads`,
  AUDIT_ANCHOR_SECONDS: '1',
})
t.teardown(() => server.close())
const anna = personOf(server, 'anna')

const headOf = (line: string) => {
  const { payload, payloadType } = JSON.parse(line) as Record<string, string>
  const text = Buffer.from(payload ?? '', 'base64').toString()
  return { payloadType, ...(JSON.parse(text) as { seal: number; events: number }) }
}

await t.test('each new head arrives, and the last one at the stop', async (t) => {
  await anna.get('/api/files/user')
  await eventually('a head arrives', () => kept.length > 0)
  t.match(headOf(kept[0] ?? ''), {
    payloadType: 'application/vnd.strongroom.audit-head+json',
    seal: 1,
    events: 1,
  })
  is.down = true
  const before = asked
  await anna.get('/api/files/user')
  await eventually('one is refused', () => asked > before)
  await eventually('the log says so', () => server.logs().includes('anchor-webhook'))
  is.down = false
  await anna.get('/api/files/user')
  t.equal(await server.stop(), 0)
  t.match(headOf(kept.at(-1) ?? ''), { events: 3 }, 'the last says all that the refused one did')
})

await t.test('what was kept shows a log that was cut while nothing ran', async (t) => {
  const path = join(server.dataDir, 'kept.jsonl')
  const anchors = kept.length
  await mkdir(server.dataDir, { recursive: true })
  await writeFile(path, kept.join(''))
  const { code, out, err } = await server.command('audit', 'verify', '--json', '--anchor', path)
  t.equal(code, 0, err)
  t.match(JSON.parse(out), { clean: true, anchors })
})

await t.test('a keeper in the clear is refused in production', async (t) => {
  const begun = server.beginCommand(['config', 'check'], { NODE_ENV: 'production' })
  const { code, out, err } = await begun.result
  t.equal(code, 1)
  t.match(out + err, /AUDIT_ANCHOR: NODE_ENV=production expects https/)
})
