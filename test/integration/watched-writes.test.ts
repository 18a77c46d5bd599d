import t from 'tap'
import { watchedWrites } from '../../src/db/watched-writes.js'
import { createEmptyDatabase, engines } from '../helpers/databases.js'

const insert = { name: 'watched-insert', text: 'insert into notes values ($1)' }
const count = { name: 'watched-count', text: 'select count(*)::int4 as n from notes' }
const leftOver = {
  name: 'watched-left-over',
  text: `select relname from pg_class where relname = 'strongroom_trial'`,
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const test = await createEmptyDatabase(engine)
    t.teardown(() => test.drop())
    const db = watchedWrites(await test.open())
    t.teardown(() => db.close())
    await db.script('create table notes (n int4)')
    await db.ping()

    // One after another, so always on the same connection; to PostgreSQL another is made after a refusal.
    const other = engine === 'postgres' ? await test.open() : undefined
    if (other !== undefined) t.teardown(() => other.close())
    const name = new URL(test.place, 'file:').pathname.slice(1)
    const readOnly = async (is: 'on' | 'off') => {
      await other?.script(`alter database ${name} set default_transaction_read_only = ${is}`)
      await db.script(`set default_transaction_read_only = ${is}`)
    }
    await readOnly('on')
    await t.resolves(db.ping(), 'nothing was refused yet')
    await t.rejects(db.rows(insert, [1]), { code: 'database_unavailable' })
    await t.rejects(db.ping(), { code: 'database_unavailable' }, 'it answers, but takes no change')
    t.same(await db.rows(count), [{ n: 0 }], 'reading goes on')
    await t.rejects(db.ping(), { code: 'database_unavailable' }, 'which does not make it ready')

    await readOnly('off')
    await t.resolves(db.ping(), 'it takes changes again')
    await db.rows(insert, [1])
    t.same(await db.rows(leftOver), [], 'and the trial left nothing')

    await readOnly('on')
    const change = db.transaction(async (sql) => {
      await sql.rows(insert, [2])
    })
    await t.rejects(change, { code: 'database_unavailable' })
    await t.rejects(db.ping(), { code: 'database_unavailable' }, 'also after a transaction')
    await readOnly('off')
    await t.rejects(db.rows(insert, ['no number']), { code: '22P02' })
    await t.resolves(db.ping(), "a statement's own fault is no doubt")
  })
}
