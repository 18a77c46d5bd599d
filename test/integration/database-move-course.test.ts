import t, { type Test } from 'tap'
import type { Database, SqlValue } from '../../src/db/database.js'
import { migrate } from '../../src/db/migrate.js'
import { moveState } from '../../src/db/move/change-capture.js'
import { assertMayServe } from '../../src/db/move/may-serve.js'
import { abandonMove, type MoveOptions, moveDatabase } from '../../src/db/move/move-database.js'
import { movedTables } from '../../src/db/move/moved-tables.js'
import { EXACT, tableDigest } from '../../src/db/move/row-transfer.js'
import { targetState } from '../../src/db/move/target-state.js'
import { createEmptyDatabase, engines } from '../helpers/databases.js'

// A whole move, broken off, gone on with, ended and taken back.

const ask = async <R extends object>(
  db: Database,
  text: string,
  values: readonly SqlValue[] = [],
) => await db.rows<R>({ name: '', text }, values)

const filesOf = (from: number, to: number) => `
insert into principals (principal_id) select 'p' || n from generate_series(${from}, ${to}) n;
insert into files (file_id, kind, owner_id, uploader_id, version, fingerprint, created_at, updated_at)
  select gen_random_uuid(), 'general', 'p' || n, 'p' || n, 1, sha256(n::text::bytea), now(), now()
  from generate_series(${from}, ${to}) n;
insert into grants (grant_id, file_id, user_id, basis, can_download, can_share, granted_by, granted_at)
  select gen_random_uuid(), file_id, owner_id, 'own', true, true, owner_id, now() from files
  where owner_id in (select 'p' || n from generate_series(${from}, ${to}) n);
insert into audit_events (event_id, at, actor_id, roles, action, outcome, ip, user_agent, request_id)
  select gen_random_uuid(), now() - n * interval '1 day', 'p' || n, '{}', 'file.upload', 'success', '', '', ''
  from generate_series(${from}, ${to}) n;`

/** Deleted, and the same bytes stored again: at no moment are there two of them. */
const again = (least: number) => `
update files set deleted_at = now() where deleted_at is null and owner_id <> 'p1' and substr(owner_id, 2)::int > ${least};
insert into files (file_id, kind, owner_id, uploader_id, version, fingerprint, created_at, updated_at)
  select gen_random_uuid(), kind, owner_id, uploader_id, 1, fingerprint, now(), now() from files where deleted_at = now();`

const brokenOff = new Error('broken off')

/** Breaks it off after so many pages; `between` is done then, as the service does. */
function options(pages = Number.POSITIVE_INFINITY, said: string[] = []): MoveOptions {
  const stop = new AbortController()
  let left = pages
  return {
    signal: stop.signal,
    progress: () => {
      if (--left <= 0) stop.abort(brokenOff)
    },
    note: (what) => {
      said.push(what)
      return Promise.resolve()
    },
  }
}

async function digests(db: Database): Promise<Record<string, string>> {
  const tables = await movedTables(db)
  return await db.transaction(async (sql) => {
    await sql.script(EXACT)
    const found: Record<string, string> = {}
    for (const table of tables) found[table.name] = await tableDigest(sql, table)
    return found
  })
}

async function pair(t: Test, engine: Database['engine']) {
  const places = [await createEmptyDatabase('embedded'), await createEmptyDatabase(engine)] as const
  const source = await places[0].open()
  const target = await places[1].open()
  t.teardown(async () => {
    await source.close()
    await target.close()
    for (const place of places) await place.drop()
  })
  await migrate(source)
  return { source, target }
}

for (const engine of engines) {
  await t.test(`to ${engine}`, async (t) => {
    await t.test('broken off after every few pages, while it is written to', async (t) => {
      const { source, target } = await pair(t, engine)
      await source.script(filesOf(1, 700))
      for (const [n, pages] of [1, 8, 12, 14, 30].entries()) {
        await t.rejects(moveDatabase(source, target, options(pages)), brokenOff, `${pages} pages`)
        t.equal((await targetState(target))?.stage, 'copying')
        await source.script(filesOf(1_000 + n * 10, 1_005 + n * 10))
        await source.script(again(300 * n))
        await source.script(`delete from grants where user_id = 'p${n + 2}'`)
      }
      const before = await digests(source)
      const said: string[] = []
      const report = await moveDatabase(source, target, options(undefined, said))
      t.strictSame(said, ['begun', 'stopped'])
      t.ok(report.rows > 2_100)
      t.strictSame(await digests(target), before)
      t.ok((await moveState(source))?.movedAt)
      const [rules] = await ask<{ keys: number; triggers: number }>(
        target,
        `select (select count(*)::int from pg_constraint where contype = 'f' and convalidated) as keys,
          (select count(*)::int from pg_trigger where not tgisinternal and tgenabled <> 'O') as triggers`,
      )
      const [own] = await ask<{ keys: number }>(
        source,
        `select count(*)::int as keys from pg_constraint where contype = 'f'`,
      )
      t.strictSame(rules, { keys: own?.keys, triggers: 0 }, 'the rules are those of the source')
      await t.rejects(target.script('delete from audit_events'), /append-only/)
      const next = `select nextval('audit_unsigned_number') as n`
      const [number] = await ask<{ n: number }>(target, next)
      const [most] = await ask<{ n: number }>(
        target,
        'select max(writer_number) as n from audit_events',
      )
      t.equal(number?.n, (most?.n ?? 0) + 1, 'sequences go on')
    })

    await t.test('more changes than are taken at a time', async (t) => {
      const { source, target } = await pair(t, engine)
      await source.script(filesOf(1, 100))
      await t.rejects(moveDatabase(source, target, options(25)), brokenOff)
      await source.script(filesOf(101, 1_600))
      await source.script(again(0))
      const before = await digests(source)
      await moveDatabase(source, target, options())
      t.strictSame(await digests(target), before)
    })

    await t.test('what is not the same is found', async (t) => {
      const { source, target } = await pair(t, engine)
      await source.script(filesOf(1, 50))
      const lies: MoveOptions = {
        ...options(),
        note: async (what) => {
          if (what === 'begun') return
          await target.script(`insert into principals (principal_id) values ('nobody')`)
        },
      }
      await t.rejects(moveDatabase(source, target, lies), { code: 'damaged' }, 'one too many')
      t.equal((await moveState(source))?.movedAt, null, 'and the source serves on')
      await source.script(`insert into principals (principal_id) values ('somebody')`)
      await target.script(`delete from principals where principal_id = 'nobody';
        update files set uploader_id = 'nobody' where owner_id = 'p7'`)
      await t.rejects(moveDatabase(source, target, options()), { code: 'damaged' }, 'another one')
    })

    await t.test('killed between the end of writing and the end of the move', async (t) => {
      const { source, target } = await pair(t, engine)
      await source.script(filesOf(1, 50))
      // Once the source is closed, the target is away.
      const failing: Database = {
        ...target,
        script: (text) =>
          text === 'analyze' ? Promise.reject(new Error('away')) : target.script(text),
      }
      await t.rejects(moveDatabase(source, failing, options()), /away/)
      t.ok((await moveState(source))?.movedAt, 'the source takes nothing any more')
      await t.rejects(source.script('delete from files'), { code: 'database_moved' })
      const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
      await t.rejects(assertMayServe(source, log), /was moved/)
      t.equal((await targetState(target))?.stage, 'copying')
      t.match(await moveDatabase(source, target, options()), { stopped_ms: 0 })
      t.equal((await targetState(target))?.stage, 'complete')
      t.strictSame(await digests(target), await digests(source))
    })

    await t.test('only into what is empty, and only one move', async (t) => {
      const { source, target } = await pair(t, engine)
      await target.script('create table theirs (n int)')
      await t.rejects(moveDatabase(source, target, options()), /nothing in it/)
      t.equal(await moveState(source), undefined, 'nothing was begun')
      await target.script('drop table theirs')
      await source.script(filesOf(1, 5))
      await moveDatabase(source, target, options())
      const other = await pair(t, engine)
      await t.rejects(moveDatabase(other.source, target, options()), /another move/)
      await t.rejects(moveDatabase(source, other.target, options()), /not to this one/)
      await t.rejects(abandonMove(source, other.target), /was moved to/)
      t.equal(await abandonMove(source, target), true)
      t.equal(await abandonMove(source, target), false)
      await source.script(`insert into principals (principal_id) values ('goes on')`)
      t.equal((await targetState(target))?.stage, 'abandoned')
      await moveDatabase(other.source, target, options())
      t.strictSame(await digests(target), await digests(other.source), 'a copy given up is emptied')
    })

    await t.test('a table that came later is not left out', async (t) => {
      const { source, target } = await pair(t, engine)
      await t.rejects(moveDatabase(source, target, options(1)), brokenOff)
      await source.script('create table later (n int primary key)')
      await t.rejects(moveDatabase(source, target, options()), /tables are others/)
    })
  })
}
