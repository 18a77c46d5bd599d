import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { filePath, personOf } from '../acceptance/support/people.js'
import { scrape } from '../acceptance/support/scrape.js'
import { startServer } from '../acceptance/support/server.js'

// What Prometheus itself says of our metrics, alerts and example (promtool, of the Debian package
// prometheus), and whether dashboard, alerts, documentation and service speak of the same metrics.

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const textOf = (path: string) => readFile(join(root, path), 'utf8')

const folder = await mkdtemp(join(tmpdir(), 'strongroom-prometheus-'))
t.teardown(() => rm(folder, { recursive: true }))
await cp(join(root, 'deploy/prometheus'), folder, { recursive: true })
await writeFile(join(folder, 'metrics-token'), 'a-token-of-a-test', { mode: 0o600 })

/** Runs promtool; what it says where it is not content. */
async function promtool(args: readonly string[], input = ''): Promise<string> {
  const running = run('promtool', [...args], { cwd: folder })
  running.child.stdin?.end(input)
  try {
    await running
    return ''
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return `${stdout}${stderr}` || String(error)
  }
}

/** A service that has seen something of everything. */
async function busyServer() {
  const server = await startServer()
  const anna = personOf(server, 'anna')
  const id = await anna.file(pdf('busy', 300_000))
  await anna.get(filePath(id))
  await anna.get(filePath('5d4c3b2a-0000-4000-8000-000000000000'))
  await anna.delete(filePath(id))
  return server
}

const server = await busyServer()
t.teardown(() => server.close())
const { text } = await scrape(server)
const namesAfter = (word: string) =>
  new Set([...text.matchAll(new RegExp(`^# ${word} (\\w+) `, 'gm'))].map(([, name]) => name ?? ''))
const exported = namesAfter('HELP')

await t.test('promtool finds nothing wrong', async (t) => {
  t.equal(await promtool(['check', 'metrics'], text), '', 'with a scrape')
  t.equal(await promtool(['check', 'rules', 'alerts.yml']), '', 'with the alerts')
  t.equal(await promtool(['check', 'config', 'prometheus.yml']), '', 'with the example')
  t.equal(await promtool(['test', 'rules', 'alerts.test.yml']), '', 'with what the alerts do')
})

await t.test('promtool would say so', async (t) => {
  t.not(await promtool(['check', 'metrics'], '# TYPE a_total gauge\na_total 1\n'), '')
  const alerts = await readFile(join(folder, 'alerts.yml'), 'utf8')
  await writeFile(join(folder, 'alerts.yml'), alerts.replace('_lag_seconds > 300', '_lag > 300'))
  t.match(await promtool(['test', 'rules', 'alerts.test.yml']), /StrongroomAuditLag/)
})

await t.test('every metric has its help and its type', (t) => {
  t.same(namesAfter('TYPE'), exported)
  t.ok(exported.size > 40)
  t.end()
})

/** The names a text speaks of, without what Prometheus makes of a histogram. */
function namesIn(expressions: string): string[] {
  const found = expressions.match(/\b(?:strongroom|process|nodejs)_\w+\b/g) ?? []
  return [...new Set(found.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')))]
}

await t.test('alerts and dashboard speak of metrics that are there', async (t) => {
  const alerts = [...(await textOf('deploy/prometheus/alerts.yml')).matchAll(/expr: (.*)/g)]
  const dashboard = [
    ...(await textOf('deploy/grafana/strongroom.json')).matchAll(/"(?:expr|query)": "(.*)"/g),
  ]
  for (const [name, lines] of Object.entries({ alerts, dashboard })) {
    const names = namesIn(lines.map(([, expression]) => expression).join('\n'))
    t.ok(names.length > 10, name)
    for (const each of names) t.ok(exported.has(each), `${name}: ${each}`)
  }
})

await t.test('every alert is tried both ways', async (t) => {
  const namesOf = async (path: string, pattern: RegExp) =>
    [...(await textOf(path)).matchAll(pattern)].map(([, name]) => name ?? '').sort()
  const alerts = await namesOf('deploy/prometheus/alerts.yml', /- alert: (\w+)/g)
  const tests = 'deploy/prometheus/alerts.test.yml'
  t.ok(alerts.length > 15)
  t.same(await namesOf(tests, /alertname: (\w+)\n +exp_alerts:\n/g), alerts, 'fires')
  t.same(await namesOf(tests, /alertname: (\w+)\n +exp_alerts: \[\]/g), alerts, 'is silent')
})

await t.test('docs/METRICS.md says what each of them is, and nothing else', async (t) => {
  const rows = [...(await textOf('docs/METRICS.md')).matchAll(/^\| `(\w+)` \|/gm)]
  const documented = rows.map(([, name]) => name ?? '')
  t.same([...documented].sort(), [...exported].sort())
})
