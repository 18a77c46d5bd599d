/**
 * The long run: many seeded kills of the service and of the embedded database, and power cuts. Runs
 * the heavy tests one after another, and writes into docs/evidence/ what they counted.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'

const root = fileURLToPath(new URL('../..', import.meta.url))

const help = `Kills the service and its database many times under load, and cuts the power.

  npm run soak -- [options]

  --kills N               kills of each suite (500)
  --cuts N                power cuts (60)
  --seed N                repeats what is drawn, not its timing (8006)
  --only embedded         what needs no server
  --only postgres         the service on PostgreSQL alone
  --help                  this

TEST_DATABASE_URL names a PostgreSQL server on which databases may be made. Without it only
\`--only embedded\` can run. What was counted goes to docs/evidence/soak-<date>.md, with --only to
soak-<date>-embedded.md or -postgres.md: both can run side by side. Ends with 0 where all passed, 1
where something did not, 2 where it could not begin.`

const databaseUrl = process.env['TEST_DATABASE_URL'] ?? ''
const options = readOptions()
const suites = suitesOf(options)
const before = { commit: git('rev-parse', 'HEAD').trim(), isDirty: git('status', '-s') !== '' }

const results = []
for (const suite of suites) results.push(await run(suite))
const path = await writeEvidence(results)
console.log(`\nWritten: ${path}`)
process.exitCode = results.every(({ passes }) => passes) && !hasMoved() ? 0 : 1

function readOptions() {
  let values
  try {
    values = parseArgs({
      options: {
        kills: { type: 'string', default: '500' },
        cuts: { type: 'string', default: '60' },
        seed: { type: 'string', default: '8006' },
        only: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    refuse(error.message)
  }
  if (values.help) {
    console.log(help)
    process.exit(0)
  }
  const { only } = values
  for (const name of ['kills', 'cuts', 'seed']) {
    if (!/^[1-9]\d{0,8}$/.test(values[name])) refuse(`--${name}: a whole number from 1`)
  }
  if (only !== undefined && only !== 'embedded' && only !== 'postgres') {
    refuse('--only: embedded or postgres')
  }
  if (only !== 'embedded' && databaseUrl === '') {
    refuse('TEST_DATABASE_URL is not set: no soak on PostgreSQL. `--only embedded` leaves it out.')
  }
  return values
}

function refuse(reason) {
  console.error(`${reason}\n\n${help}`)
  process.exit(2)
}

function suitesOf({ kills, cuts, seed, only }) {
  const service = { file: 'service-kill', many: Number(kills), unit: 'kills' }
  const embedded = { database: 'embedded', env: { KILLS: kills, CUTS: cuts, SEED: seed } }
  const postgres = {
    database: 'PostgreSQL',
    env: { ...embedded.env, TEST_DATABASE_URL: databaseUrl },
  }
  const onEmbedded = [
    { name: 'the service', ...service, ...embedded },
    { ...service, name: 'the database alone', file: 'embedded-kill', ...embedded },
    {
      name: 'power cuts',
      file: 'embedded-power-cut',
      many: Number(cuts),
      unit: 'cuts',
      ...embedded,
    },
  ]
  return [
    ...(only === 'postgres' ? [] : onEmbedded),
    ...(only === 'embedded' ? [] : [{ name: 'the service', ...service, ...postgres }]),
  ]
}

/** Whether the tree is another than at the start: then it is not known what ran. */
function hasMoved() {
  return git('rev-parse', 'HEAD').trim() !== before.commit
}

function git(...words) {
  return execFileSync('git', words, { cwd: root, encoding: 'utf8' })
}

/** Runs one suite under tap, tells how it goes, and gives what it counted. */
async function run(suite) {
  const { name, database, file, many, unit, env } = suite
  console.log(`\n${name} on ${database}: ${many} ${unit}, seed ${env.SEED}`)
  const start = performance.now()
  const found = {
    passed: 0,
    failed: [],
    acknowledged: 0,
    done: 0,
    figures: undefined,
    counts: undefined,
  }
  const child = startTap(`test/heavy/${file}.test.ts`, many, env)
  const closed = once(child, 'close')
  const stop = () => {
    child.kill('SIGTERM')
    process.exit(130)
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const tell = progress(many, unit, start)
  let explains = false
  let hasFailed = false
  for await (const line of createInterface({ input: child.stdout })) {
    note(found, line)
    // What a failed assertion says of itself follows it, as YAML.
    if (/^ *---$/.test(line)) explains = hasFailed
    else if (explains) console.log(line)
    if (/^ *\.\.\.$/.test(line)) explains = false
    hasFailed = /^ *not ok/.test(line)
    if (/^ +(# kill \d+,|ok \d+ - .*(were acknowledged before it|were answered)$)/.test(line)) {
      found.done += 1
      tell()
    }
    if (/^ *not ok/.test(line)) console.log(line.trim())
  }
  const [code] = await closed
  process.off('SIGINT', stop).off('SIGTERM', stop)
  const seconds = Math.round((performance.now() - start) / 1000)
  const { total = 0, pass = 0 } = found.counts ?? {}
  const passes = code === 0 && total > 0 && pass === total && found.done === many
  console.log(`${passes ? 'passed' : 'FAILED'}: ${pass} of ${total} assertions, ${seconds} s`)
  return { ...suite, ...found, total, pass, passes, code, seconds }
}

function startTap(file, many, env) {
  const limit = 1_800 + many * 30
  const words = ['tap', 'run', '--disable-coverage', '--jobs=1', `--timeout=${limit}`]
  const child = spawn('npx', [...words, '--reporter=tap', file], {
    cwd: root,
    env: { ...process.env, TEST_DATABASE_URL: '', FORCE_COLOR: '', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.setEncoding('utf8')
  return child
}

/** What a line of TAP adds. */
function note(found, line) {
  const failed = /^ {8}not ok \d+ - (.*)/.exec(line)?.[1]
  if (failed !== undefined) found.failed.push(failed)
  const acknowledged = /^ {8}ok \d+ - .*?(\d+) were acknowledged/.exec(line)?.[1]
  if (acknowledged !== undefined) found.acknowledged += Number(acknowledged)
  const figures = /^ +# total: (\{.*\})$/.exec(line)?.[1]
  if (figures !== undefined) found.figures = JSON.parse(figures)
  const counts = /^# (\{ total: .*\})/.exec(line)?.[1]
  if (counts !== undefined) found.counts = JSON.parse(counts.replace(/(\w+):/g, '"$1":'))
}

/** A line for every twentieth part. */
function progress(many, unit, start) {
  let done = 0
  return () => {
    done += 1
    if (done % Math.max(1, Math.floor(many / 20)) !== 0) return
    const minutes = ((performance.now() - start) / 60_000).toFixed(1)
    console.log(`  ${done} of ${many} ${unit}, ${minutes} min`)
  }
}

async function serverVersion() {
  if (databaseUrl === '') return 'none'
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query('SHOW server_version')).rows[0].server_version
  } finally {
    await client.end()
  }
}

async function writeEvidence(results) {
  const date = new Date().toISOString().slice(0, 10)
  const part = options.only === undefined ? '' : `-${options.only}`
  const name = `docs/evidence/soak-${date}${part}.md`
  const rows = results.map(rowOf)
  const text = [
    `# Soak of ${date}`,
    '',
    `\`npm run soak\` with seed ${options.seed}: the service and the embedded database killed by SIGKILL`,
    'under load and started again on the same data, and power cuts of the embedded database computed.',
    '',
    `- commit ${before.commit}${before.isDirty ? ', with changes not committed' : ''}${hasMoved() ? ', MOVED meanwhile' : ''}`,
    `- Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} processors`,
    `- PostgreSQL: ${options.only === 'embedded' ? 'left out' : await serverVersion()}`,
    '',
    '| suite | database | kills, cuts | acknowledged | never answered | lost | assertions | minutes |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...kindsOf(results),
    ...results.flatMap(detailsOf),
  ]
  mkdirSync(join(root, 'docs/evidence'), { recursive: true })
  writeFileSync(join(root, name), `${text.join('\n').trimEnd()}\n`)
  return name
}

function rowOf(result) {
  const { name, database, many, unit, figures, total, pass, passes, seconds } = result
  const cells = [
    name,
    database,
    `${many} ${unit}`,
    figures?.acknowledged ?? result.acknowledged,
    figures?.inFlight ?? '',
    passes ? '0' : 'see below',
    `${pass} of ${total}`,
    (seconds / 60).toFixed(1),
  ]
  return `| ${cells.join(' | ')} |`
}

/** How many kills broke something of each kind off, by database. */
function kindsOf(results) {
  const found = results.filter(({ figures }) => figures !== undefined)
  if (found.length === 0) return []
  const kinds = Object.keys(found[0].figures.byKind)
  return [
    'How many kills of the service struck an operation of each kind (`start`: it was starting; `answer`:',
    'the moment an answer was there; from `rotation` on what a command asks for):',
    '',
    `| kind | ${found.map(({ database }) => database).join(' | ')} |`,
    `| --- |${' --- |'.repeat(found.length)}`,
    ...kinds.map(
      (kind) => `| ${kind} | ${found.map(({ figures }) => figures.byKind[kind]).join(' | ')} |`,
    ),
    '',
  ]
}

function detailsOf({ name, database, figures, failed, passes, code }) {
  const lines = []
  if (figures !== undefined) {
    lines.push(
      `${name} on ${database}: of ${figures.inFlight} requests never answered (${figures.uploads} uploads) ` +
        `${figures.carriedOut} had been carried out, the rest came to nothing. The master key turned ` +
        `${figures.turns} times; ${figures.halfDone.rotation ?? 0} rotations were cut off with some ` +
        'user keys under the new key and some under the old. Sweeps cleaned up ' +
        `${figures.orphans} sealed files without a row (some of them planted), ${figures.intents} intents and ` +
        `${figures.halfWritten} half-written files; after each turn nothing was left. In the end ` +
        `${figures.files} files with ${figures.versions} versions were opened under the last master key ` +
        'alone and compared.',
      '',
    )
  }
  if (!passes) {
    lines.push(`${name} on ${database} FAILED (exit ${code}):`, '')
    lines.push(...failed.slice(0, 50).map((each) => `- ${each}`), '')
  }
  return lines
}
