import t from 'tap'
import type { Database, SqlValue } from '../../src/db/database.js'
import {
  captureScript,
  closingScript,
  FORGET_MOVE,
  moveState,
} from '../../src/db/move/change-capture.js'
import { type MovedTable, movedTables } from '../../src/db/move/moved-tables.js'
import {
  EXACT,
  keysAfter,
  replaceRows,
  rowsWith,
  type TextRow,
  tableDigest,
} from '../../src/db/move/row-transfer.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'

const ask = <R extends object>(db: Database, text: string, values: readonly SqlValue[] = []) =>
  db.rows<R>({ name: '', text }, values)

/** Values that a driver's types would round, and an event in a month of its own. */
const ROWS = `
insert into principals (principal_id, created_at) values
  ('ann', '2026-01-02 03:04:05.123456+02'), ('back\\slash,{}"quote', now());
insert into jobs (job_id, kind, payload, run_after) values
  (gen_random_uuid(), 'x', '{"n": 12345678901234567890, "t": "ü\\u0001"}', 'infinity');
insert into idempotency_keys (caller_id, route, key_hash, claim_id, lease_until) values
  ('ann', 'r', '\\x00ff80', gen_random_uuid(), '0001-01-01 00:00:00.000001+00');
insert into audit_events (event_id, at, actor_id, roles, action, outcome, ip, user_agent, request_id)
  select gen_random_uuid(), now() - n * interval '1 second', 'ann', '{"a,b",null,""}', 'x', 'success', '', '', ''
  from generate_series(1, 60) n;`

async function copy(from: Database, to: Database, table: MovedTable, limit: number) {
  for (let after: TextRow | undefined; ; ) {
    const page = await from.transaction(async (sql) => {
      await sql.script(EXACT)
      const keys = await keysAfter(sql, table, after, limit)
      return { keys, rows: await rowsWith(sql, table, keys) }
    })
    await to.transaction(async (sql) => {
      await sql.script(`${EXACT} set local session_replication_role = replica;`)
      await replaceRows(sql, table, page.keys, page.rows)
    })
    after = page.keys.at(-1)
    if (page.keys.length < limit || after === undefined) return
  }
}

async function digests(db: Database, tables: readonly MovedTable[]) {
  return await db.transaction(async (sql) => {
    await sql.script(EXACT)
    const found: Record<string, string> = {}
    for (const table of tables) found[table.name] = await tableDigest(sql, table)
    return found
  })
}

for (const engine of engines) {
  await t.test(`from embedded to ${engine}`, async (t) => {
    const places = [
      await createMigratedDatabase('embedded'),
      await createMigratedDatabase(engine),
    ] as const
    const from = await places[0].open()
    const to = await places[1].open()
    t.teardown(async () => {
      await from.close()
      await to.close()
      for (const place of places) await place.drop()
    })
    await from.script(ROWS)
    const tables = await movedTables(from)

    await t.test('every table of the schema has a key to move it by', async (t) => {
      const [all] = await ask<{ names: string[] }>(
        from,
        `select array_agg(table_name::text order by table_name) as names
          from information_schema.tables where table_schema = 'public'
            and table_name !~ '^audit_events_'`,
      )
      t.strictSame(tables.map(({ name }) => name).sort(), all?.names.sort())
      await from.script('create table keyless (a int)')
      await t.rejects(movedTables(from), /keyless has no key/)
      await from.script('drop table keyless')
    })

    await t.test('copied by pages, and again, all of it is the same to the bit', async (t) => {
      await to.script(emptied('record_types, schema_migrations'))
      for (const limit of [7, 1_000]) {
        for (const table of tables) await copy(from, to, table, limit)
        t.strictSame(await digests(to, tables), await digests(from, tables), `${limit} a page`)
      }
      await to.script(`update jobs set payload = '{"n": 12345678901234567891}'`)
      t.not((await digests(to, tables))['jobs'], (await digests(from, tables))['jobs'])
    })

    await t.test('what changes meanwhile is noted with the change itself', async (t) => {
      t.equal(await moveState(from), undefined)
      await from.script(captureScript(tables))
      const failed = from.transaction(async (sql) => {
        await sql.script(`insert into principals (principal_id) values ('nobody')`)
        throw new Error('rolled back')
      })
      await t.rejects(failed, /rolled back/)
      await from.script(`update principals set principal_id = 'eve' where principal_id = 'ann';
        delete from jobs;
        insert into audit_events (event_id, at, actor_id, roles, action, outcome, ip, user_agent, request_id)
          values (gen_random_uuid(), now(), 'eve', '{}', 'x', 'success', '', '', '')`)
      const noted = await ask<{ table: string; key: string[] }>(
        from,
        `select table_name as "table", key from strongroom_move.changes order by change_id`,
      )
      t.strictSame(
        noted.map(({ table }) => table),
        ['principals', 'principals', 'jobs', 'audit_events'],
      )
      t.strictSame(
        noted.slice(0, 2).map(({ key }) => key),
        [['ann'], ['eve']],
      )
    })

    await t.test('after its end nothing can be written, and that can be taken back', async (t) => {
      await from.script(closingScript(tables))
      t.ok((await moveState(from))?.movedAt)
      for (const { name } of tables) {
        const refused = from.script(`delete from ${name} where false`)
        await t.rejects(refused, { code: 'database_moved' }, name)
      }
      await from.script(FORGET_MOVE)
      await from.script(`insert into principals (principal_id) values ('again')`)
      t.equal(await moveState(from), undefined)
    })
  })
}
