import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'
import { newKeys, startWriter } from '../helpers/sealed-log.js'

// What happens to a log without anybody touching it is found by nobody.

const clean = { findings: [], counts: {} }

const count = async (database: Database, what: string) => {
  const text = `select count(*)::int as n from ${what}`
  return (
    await database.rows<{ n: number }>({ name: `count-${randomUUID().slice(0, 8)}`, text })
  )[0]?.n
}

/** As if the process were gone: its writer is silent from now on. */
const silence = (database: Database) =>
  database.script(`update audit_writers set seen_at = seen_at - interval '1 hour'`)

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'a log is sealed as it grows, and nothing is said twice': async (t, database) => {
    const one = await startWriter(database, newKeys())
    t.equal(await one.seals.seal(), undefined, 'nothing was written')
    await one.write(5)
    const first = await one.seals.seal()
    t.match(first, { number: 1, total: 5 })
    t.equal(await one.seals.seal(), undefined, 'nothing is new')
    await one.write(2)
    t.match(await one.seals.seal(), { number: 2, total: 7 })
    t.match(await one.verify(), { ...clean, events: 7, seals: 2, unsealed: 0 })
    const text = `select sum(events)::int as n from audit_days where action = 'file.view'`
    const [sums] = await database.rows<{ n: number }>({ name: 'sums', text })
    t.equal(sums?.n, 7, 'each is counted once')
  },

  'what is rolled back leaves no gap that means anything': async (t, database) => {
    const one = await startWriter(database, newKeys())
    for (let n = 0; n < 6; n++) {
      await one.writeInVain(2)
      await one.write(n % 2)
      if (n % 3 === 2) await one.seals.seal()
    }
    await one.writeInVain(1)
    await one.seals.end()
    t.match(await one.verify(), { ...clean, events: 3, unsealed: 0 })
  },

  'many writers at once, each with many events at once': async (t, database) => {
    const keys = newKeys()
    const writers = await Promise.all([1, 2, 3].map(() => startWriter(database, keys)))
    await Promise.all(
      writers.map(async (writer) => {
        const work = Array.from({ length: 20 }, (_, n) =>
          n % 4 === 3 ? writer.writeInVain(1) : writer.write(1),
        )
        // They race for the end of the chain.
        await Promise.all([...work, writer.seals.seal(), writer.db.stores.seals.last()])
        await writer.seals.seal()
      }),
    )
    const [first] = writers
    t.match(await first?.verify(), { ...clean, events: 45, unsealed: 0 })
    t.equal(await count(database, 'audit_seals where is_adopted'), 0)
  },

  'a clock that leaps forward, and back': async (t, database) => {
    const one = await startWriter(database, newKeys())
    const at = (time: string) => ({ ...one.event('anna'), at: new Date(time) })
    for (const time of ['2031-05-01T00:00:00Z', '2019-01-01T00:00:00Z', '2026-11-26T10:00:00Z']) {
      await one.db.stores.audit.append(at(time))
      await one.seals.seal()
    }
    t.match(await one.verify(), { ...clean, events: 3, seals: 3 })
  },

  'a node that is lost before it sealed': async (t, database) => {
    const keys = newKeys()
    const lost = await startWriter(database, keys)
    await lost.write(3)
    await lost.seals.seal()
    // Under way when it was lost: nobody knows of them, and the number after them is there.
    const gone = new Error('lost')
    const never = lost.db.transaction(async ({ audit }) => {
      await audit.append(lost.event('anna'))
      throw gone
    })
    await t.rejects(never, gone)
    await lost.write(4)
    const other = await startWriter(database, keys)
    await other.seals.adopt()
    t.equal(await count(database, 'audit_seals where is_adopted'), 0, 'it may live')
    await silence(database)
    await other.seals.adopt()
    await other.seals.adopt()
    t.equal(await count(database, 'audit_seals where is_adopted'), 1, 'sealed once')
    t.match(await other.verify(), { ...clean, events: 7, unsealed: 0 })
  },

  'a node taken for lost that lives after all': async (t, database) => {
    const keys = newKeys()
    const slow = await startWriter(database, keys)
    await slow.write(3)
    const other = await startWriter(database, keys)
    await silence(database)
    await other.seals.adopt()
    await slow.write(2)
    await slow.seals.seal()
    await slow.write(1)
    await slow.seals.end()
    t.match(await other.verify(), { ...clean, events: 6, unsealed: 0 })
  },

  'nodes that adopt at the same time': async (t, database) => {
    const keys = newKeys()
    const lost = await startWriter(database, keys)
    await lost.write(5)
    await silence(database)
    const others = await Promise.all([1, 2].map(() => startWriter(database, keys)))
    await Promise.all(others.map(({ seals }) => seals.adopt()))
    t.equal(await count(database, 'audit_seals'), 1)
    t.match(await others[0]?.verify(), { ...clean, events: 5 })
  },

  'what was removed before a lost node could seal it': async (t, database) => {
    const keys = newKeys()
    const lost = await startWriter(database, keys)
    await lost.write(6)
    await database.script(
      `set local session_replication_role = replica; delete from audit_events where writer_number = 3`,
    )
    await silence(database)
    const other = await startWriter(database, keys)
    await other.seals.adopt()
    const { findings } = await other.verify()
    t.match(findings, [
      { kind: 'event_removed', number: 3, lastNumber: 3, writerId: lost.writer.writerId },
    ])
    t.equal(findings.length, 1)
  },

  'a process that sees the chain cut goes on where it was, and says so': async (t, database) => {
    const one = await startWriter(database, newKeys())
    for (let n = 0; n < 4; n++) {
      await one.write(1)
      await one.seals.seal()
    }
    await database.script(
      `set local session_replication_role = replica; delete from audit_seals where seal_number > 2`,
    )
    await one.write(1)
    t.match(await one.seals.seal(), { number: 6 }, 'the event that says so is sealed next')
    t.equal(one.problems.length, 1)
    await one.seals.seal()
    t.match(
      (await one.verify()).findings.filter(({ kind }) => kind === 'seal_removed'),
      [{ seal: 3, lastSeal: 4 }],
    )
    t.equal(await count(database, `audit_events where action = 'audit.broken'`), 1)
  },

  'heads from outside: the chain has to have them': async (t, database) => {
    const keys = newKeys()
    const one = await startWriter(database, keys)
    await one.write(2)
    const head = await one.seals.seal()
    await one.write(2)
    const last = await one.seals.seal()
    const anchors = [head, last].filter((each) => each !== undefined)
    t.match(await one.verify({ anchors }), { ...clean, anchors: 2 })
    // Everything as it was before the second seal, for whoever has seen nothing since.
    await database.script(`set local session_replication_role = replica;
      delete from audit_events where writer_number > 2; delete from audit_seals where seal_number > 1;
      update audit_writers set sealed_to = 2`)
    t.match(await one.verify({ seen: undefined }), clean, 'this alone shows nothing')
    t.match(await one.verify({ seen: undefined, anchors }), {
      findings: [{ kind: 'seal_removed', seal: 2, lastSeal: 2 }],
    })
    const other = await startWriter(database, keys)
    await other.write(2)
    await other.seals.seal()
    t.match(await other.verify({ anchors }), { findings: [{ kind: 'anchor_differs', seal: 2 }] })
  },

  'events without a code are sealed by whoever has one, once they are old': async (t, database) => {
    const columns = '(event_id, at, actor_id, roles, action, outcome, ip, user_agent, request_id)'
    const insert = (age: string, action: string) =>
      database.script(`insert into audit_events ${columns} values
        (gen_random_uuid(), now() - interval '${age}', 'backup', '{}', '${action}', 'success', '-', '-', '-')`)
    await insert('1 day', 'file.view')
    const one = await startWriter(database, newKeys())
    await one.seals.adopt()
    await insert('1 hour', 'keys.backup')
    await insert('0 s', 'keys.drill')
    await one.write(1)
    await one.seals.seal()
    await one.seals.adopt()
    t.match(await one.verify(), { ...clean, unsigned: 3, events: 4 })
    t.equal(await count(database, 'audit_seals'), 3)
    await insert('1 hour', 'file.view')
    await one.seals.adopt()
    t.match(await one.verify(), { counts: { event_inserted: 1 } }, 'none but those commands may')
  },

  'months are made ahead, and made once': async (t, database) => {
    const one = await startWriter(database, newKeys())
    await one.db.stores.seals.makeMonths()
    await one.db.stores.seals.makeMonths()
    const text = `select relname as name from pg_class c join pg_inherits i on i.inhrelid = c.oid
      where i.inhparent = 'audit_events'::regclass order by 1`
    const parts = await database.rows<{ name: string }>({ name: 'months', text })
    const now = new Date()
    const names = [0, 1, 2].map((n) => {
      const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + n, 1))
      return `audit_events_${month.toISOString().slice(0, 7).replace('-', '_')}`
    })
    t.same(
      parts.map(({ name }) => name),
      [...names, 'audit_events_other'].sort(),
    )
    await one.write(1)
    t.equal(await count(database, String(names[0])), 1)
    // What a leaping clock dated so is where months were not made, and keeps nobody from starting.
    await one.db.stores.audit.append({ ...one.event('anna'), at: new Date('2031-05-01T00:00:00Z') })
    const made = `select audit_make_month('2031-05-01') as made`
    t.same(await database.rows({ name: 'make-may', text: made }), [{ made: false }])
    t.equal(await count(database, 'audit_events_other'), 1)
  },
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    for (const [name, test] of Object.entries(tests)) {
      await t.test(name, async (t) => {
        await database.script(emptied('audit_events, audit_seals, audit_writers, audit_days'))
        await test(t, database)
      })
    }
  })
}
