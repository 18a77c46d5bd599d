import t, { type Test } from 'tap'
import type { Finding } from '../../src/audit/findings.js'
import type { Database } from '../../src/db/database.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'
import { randomOf } from '../helpers/random.js'
import { newKeys, startWriter, type Writer } from '../helpers/sealed-log.js'

// Whoever may do anything to the database, and has no key, edits the log at random places: what a
// process has written and not sealed yet, too. Each edit is found, and placed.
// EDITS=500 for more of them; SEED draws others.

const edits = Number(process.env['EDITS'] ?? 50)
const seed = Number(process.env['SEED'] ?? 8006)

interface Row {
  readonly writer: string
  readonly number: number
  readonly event: string
}

interface Log {
  readonly database: Database
  readonly live: Writer
  readonly rows: readonly Row[]
  readonly random: () => number
  /** Runs as whoever owns the tables and has switched the triggers off. */
  readonly attack: (sql: string) => Promise<void>
}

/** Whether a finding tells of the place that was edited. */
type Expected = (finding: Finding) => boolean

const pick = <T>(random: () => number, all: readonly T[]): T => {
  const one = all[Math.floor(random() * all.length)]
  if (one === undefined) throw new Error('There is nothing to pick')
  return one
}
const at =
  (row: Row, ...kinds: Finding['kind'][]): Expected =>
  (finding) =>
    kinds.includes(finding.kind) &&
    finding.writerId === row.writer &&
    (finding.number ?? 0) <= row.number &&
    row.number <= (finding.lastNumber ?? finding.number ?? 0)
const where = ({ writer, number }: Row) => `writer_id = '${writer}' and writer_number = ${number}`

const changes = [
  "actor_id = 'somebody-else'",
  "at = at - interval '1 hour'",
  "at = at + interval '1 millisecond'",
  "outcome = 'denied'",
  "action = 'file.list'",
  "ip = '198.51.100.1'",
  "user_agent = 'another'",
  "roles = '{admin}'",
  'bytes = bytes + 1',
  'file_id = gen_random_uuid()',
  "patient_id = 'a-patient'",
  "reason = 'forbidden'",
  'event_id = gen_random_uuid()',
  'emergency_id = gen_random_uuid()',
  'settled = settled + 1',
  "mac = decode(repeat('00', 32), 'hex')",
]

const columns = `at, actor_id, on_behalf_of, roles, action, outcome, reason, file_id, subject_id,
  patient_id, grant_id, version, bytes, ip, user_agent, request_id, read_session, emergency_id`

const attacks: Readonly<Record<string, (log: Log, row: Row) => Promise<Expected>>> = {
  'an event changed': async ({ attack, random }, row) => {
    await attack(`update audit_events set ${pick(random, changes)} where ${where(row)}`)
    return at(row, 'event_changed')
  },
  'an event removed': async ({ attack }, row) => {
    await attack(`delete from audit_events where ${where(row)}`)
    return at(row, 'event_removed')
  },
  'a copy under the same number': async ({ attack }, row) => {
    await attack(`insert into audit_events (event_id, ${columns}, writer_id, writer_number, settled, mac)
      select gen_random_uuid(), ${columns}, writer_id, writer_number, settled, mac
      from audit_events where ${where(row)}`)
    return at(row, 'event_inserted', 'event_changed')
  },
  'a copy under another number': async ({ attack }, row) => {
    const number = 100_000 + row.number
    await attack(`insert into audit_events (event_id, ${columns}, writer_id, writer_number, settled, mac)
      select gen_random_uuid(), ${columns}, writer_id, ${number}, settled, mac
      from audit_events where ${where(row)}`)
    return at({ ...row, number }, 'event_changed', 'event_inserted')
  },
  'an event without a code': async ({ attack }, row) => {
    await attack(`insert into audit_events (event_id, ${columns})
      select gen_random_uuid(), ${columns} from audit_events where ${where(row)}`)
    return ({ kind, writerId }) =>
      kind === 'event_inserted' && writerId === '00000000-0000-0000-0000-000000000000'
  },
  "two events in each other's place": async ({ attack, rows, random }, row) => {
    const other = pick(
      random,
      rows.filter((each) => each !== row && each.writer === row.writer),
    )
    await attack(`update audit_events set writer_number = ${row.number} + ${other.number} - writer_number
      where ${where(row)} or ${where(other)}`)
    return at(row, 'event_changed')
  },
  'the times of two exchanged': async ({ attack, rows, random }, row) => {
    const other = pick(
      random,
      rows.filter((each) => each !== row),
    )
    await attack(`update audit_events e set at = o.at + interval '1 second' from audit_events o
      where e.event_id = '${row.event}' and o.event_id = '${other.event}'`)
    return at(row, 'event_changed')
  },
  "one writer's events given to another": async ({ attack, rows, random }, row) => {
    const other = pick(
      random,
      rows.filter((each) => each.writer !== row.writer),
    )
    await attack(`update audit_events set writer_id = '${other.writer}' where ${where(row)}`)
    return at(row, 'event_removed')
  },
  'the tail of a writer cut off': async ({ attack, rows }, row) => {
    await attack(`delete from audit_events
      where writer_id = '${row.writer}' and writer_number >= ${row.number}`)
    const last = rows.filter(({ writer }) => writer === row.writer).at(-1) ?? row
    return at(last, 'event_removed')
  },
  'a writer gone without a trace': async ({ attack }, row) => {
    await attack(`delete from audit_events where writer_id = '${row.writer}';
      delete from audit_writers where writer_id = '${row.writer}'`)
    return at(row, 'event_removed')
  },
  'a seal removed': async ({ attack, random, database }) => {
    const number = pick(random, await sealNumbers(database))
    await attack(`delete from audit_seals where seal_number = ${number}`)
    return ({ kind, seal = 0, lastSeal = 0 }) =>
      kind === 'seal_removed' && seal <= number && number <= lastSeal
  },
  'a seal changed': async ({ attack, random, database }) => {
    const number = pick(random, await sealNumbers(database))
    const change = pick(random, [
      "unused = '1'",
      "sealed_at = sealed_at - interval '1 second'",
      'events = events + 1',
      'is_adopted = not is_adopted',
      "root = decode(repeat('11', 32), 'hex')",
    ])
    await attack(`update audit_seals set ${change} where seal_number = ${number}`)
    return ({ kind, seal }) => kind === 'seal_changed' && seal === number
  },
  'the end cut off, seals and events': async ({ attack, random, database }) => {
    const number = pick(random, await sealNumbers(database))
    await attack(`delete from audit_events where at >= (
        select first_at from audit_seals where seal_number = ${number});
      delete from audit_seals where seal_number >= ${number}`)
    return ({ kind, seal = 0, lastSeal = 0 }) =>
      kind === 'seal_removed' && seal <= number && number <= lastSeal
  },
  'all of it rewritten': async ({ attack }) => {
    await attack(emptied('audit_events, audit_seals, audit_writers'))
    return ({ kind, seal }) => kind === 'seal_removed' && seal === 1
  },
}

async function sealNumbers(database: Database): Promise<number[]> {
  const text = 'select seal_number as "n" from audit_seals order by 1'
  return (await database.rows<{ n: number }>({ name: 'attack-seals', text })).map(({ n }) => n)
}

/** A node that was lost, one that ended, and one that lives and has not sealed the last it wrote. */
async function writeLog(database: Database, keys: ReturnType<typeof newKeys>): Promise<Writer> {
  await database.script(emptied('audit_events, audit_seals, audit_writers, audit_days'))
  const lost = await startWriter(database, keys)
  await lost.write(6)
  await lost.seals.seal()
  await lost.writeInVain(2)
  await lost.write(5)
  const ended = await startWriter(database, keys)
  await ended.write(4)
  await ended.seals.seal()
  await ended.write(3)
  await ended.seals.end()
  await database.script(
    `update audit_writers set seen_at = seen_at - interval '1 hour' where ended_at is null`,
  )
  const live = await startWriter(database, keys)
  await live.seals.adopt()
  for (let n = 0; n < 4; n++) {
    await live.write(3)
    await live.writeInVain(n % 3)
    await live.seals.seal()
  }
  await live.write(6)
  return live
}

async function attackOnce(t: Test, database: Database, random: () => number, kind: string) {
  const keys = newKeys()
  const live = await writeLog(database, keys)
  const text = `select writer_id as writer, writer_number as number, event_id as event
    from audit_events order by writer_id, writer_number`
  const rows = await database.rows<Row>({ name: 'attack-rows', text })
  const row = pick(random, rows)
  const attack = (sql: string) =>
    database.script(`set local session_replication_role = replica; ${sql}`)
  const expected = await attacks[kind]?.({ database, live, rows, random, attack }, row)
  // What a running process does by itself within a second.
  await live.seals.seal()
  const { findings } = await live.verify()
  const found = expected !== undefined && findings.some(expected)
  t.ok(found, `${kind}: number ${row.number}`, { row, findings: findings.slice(0, 10) })
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    const random = randomOf(seed)

    await t.test('nothing is found where nothing was done', async (t) => {
      const live = await writeLog(database, newKeys())
      t.match(await live.verify(), { findings: [], events: 36, unsealed: 6 })
      await live.seals.seal()
      t.match(await live.verify(), { findings: [], events: 36, unsealed: 0 })
    })
    await t.test(`${edits} edits, seed ${seed}`, async (t) => {
      const kinds = Object.keys(attacks)
      for (let n = 0; n < edits; n++) {
        await attackOnce(t, database, random, kinds[n % kinds.length] ?? '')
      }
    })
    await t.test('whoever does not own the tables can do nothing to it', async (t) => {
      for (const sql of [
        'delete from audit_events',
        "update audit_events set actor_id = 'x'",
        'truncate audit_events',
        'truncate audit_events_other',
        'delete from audit_seals',
        'update audit_seals set events = 0',
        'truncate audit_seals',
      ]) {
        await t.rejects(database.script(sql), /append-only/, sql)
      }
    })
  })
}
