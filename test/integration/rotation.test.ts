import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { openDeploymentKeys } from '../../src/keys/deployment-keys.js'
import { localKeyProvider } from '../../src/keys/local-key-provider.js'
import { userKeys } from '../../src/keys/user-keys.js'
import { announceKeys } from '../../src/rotation/key-nodes.js'
import { keyStatus } from '../../src/rotation/key-status.js'
import { retireMaster } from '../../src/rotation/retire-master.js'
import { rotateMaster } from '../../src/rotation/rotate-master.js'
import { createMigratedDatabase, emptied, engines } from '../helpers/databases.js'

const newKey = () => FernetKey.generate().exportText()
const [old, next, foreign] = [newKey(), newKey(), newKey()]
const idOf = (text: string) => localKeyProvider([text]).masterKeyIds[0]
const people = 450

/** A deployment with so many people, sealed under `old`, and what it takes to rotate. */
async function deployment(t: Test, database: Database, count = 20) {
  await database.script(
    'truncate principals, user_keys, deployment_keys, key_nodes, retired_master_keys cascade',
  )
  await database.script(emptied('audit_events'))
  const db = transactions(database, unsignedWriter)
  const first = localKeyProvider([old])
  const index = await openDeploymentKeys({ provider: first, store: db.stores.keys })
  // As a node does that was given the next key, last in its list.
  await openDeploymentKeys({ provider: localKeyProvider([old, next]), store: db.stores.keys })
  const ring = userKeys({ provider: first, store: db.stores.keys })
  const keys = new Map<string, string>()
  for (let n = 0; n < count; n++) {
    const { userId, key } = await ring.forWrapping(`person-${n}`)
    keys.set(userId, key.exportText())
  }
  const using = (...masterKeys: string[]) => ({ db, provider: localKeyProvider(masterKeys) })
  const announceNode = async (masterKeys: readonly string[], isAlone: boolean) => {
    const node = await announceKeys({
      ...{ ...using(...masterKeys), isAlone },
      onProblem: (error) => t.error(error),
    })
    return node.close
  }
  const announce = (...masterKeys: string[]) => announceNode(masterKeys, false)
  const announceAlone = (...masterKeys: string[]) => announceNode(masterKeys, true)
  /** Everything opens with these master keys alone, and is what it was. */
  const opensWith = async (...masterKeys: string[]) => {
    const { provider } = using(...masterKeys)
    const again = await openDeploymentKeys({ provider, store: db.stores.keys })
    t.equal(again.exportText(), index.exportText(), 'the index key')
    const fresh = userKeys({ provider, store: db.stores.keys })
    for (const [userId, text] of keys) {
      const { key } = await fresh.forOpening(userId, 1)
      if (key.exportText() !== text) t.fail(`the key of ${userId}`)
    }
  }
  const events = async () => {
    const text = 'select action, subject_id, bytes from audit_events order by at, writer_number'
    return await database.rows<{ action: string; subject_id: string; bytes: string | number }>({
      name: 'rotation-test-events',
      text,
    })
  }
  const sql = async (text: string) => {
    await database.script(text)
  }
  return { db, using, announce, announceAlone, opensWith, events, sql }
}

const conflict = { code: 'conflict' }

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'everything is under the new key, and opens with it alone': async (t, database) => {
    const { using, opensWith, events, sql } = await deployment(t, database, people)
    // As rows were before anyone looked.
    await sql("update user_keys set master_key_id = null where user_id like '%7'")
    const seen: [number, number][] = []
    const report = await rotateMaster(using(next, old))({
      progress: (done, total) => seen.push([done, total]),
    })
    t.same(report, {
      master_key: idOf(next),
      ...{ rewrapped: people, already: 0, deployment_keys: 1, verified: people },
    })
    t.same(seen.at(-1), [3 * people, 3 * people])
    t.same(
      seen.map(([done]) => done),
      seen.map(([done]) => done).sort((a, b) => a - b),
    )
    await opensWith(next, old)
    await retireMaster(using(next, old))(idOf(old))
    await opensWith(next)
    const found = await events()
    const rewraps = found.filter(({ action }) => action === 'keys.rewrap')
    t.equal(
      rewraps.reduce((sum, { bytes }) => sum + Number(bytes), 0),
      people + 1,
      'every key is on record',
    )
    t.match(found.at(-1), { action: 'keys.retire', subject_id: idOf(old) })
  },
  'a second time there is nothing to do': async (t, database) => {
    const { using, events } = await deployment(t, database)
    await rotateMaster(using(next, old))()
    const before = await events()
    const { rewrapped, already, deployment_keys } = await rotateMaster(using(next, old))()
    t.same([rewrapped, already, deployment_keys], [0, 20, 0])
    t.same(await events(), before)
  },
  'what is only not known is found out, and not wrapped again': async (t, database) => {
    const { db, using, sql } = await deployment(t, database)
    await sql('update user_keys set master_key_id = null')
    const wrappings = async () =>
      (await db.stores.rotation.userKeysAfter(undefined, 99)).map(({ wrapped }) => wrapped)
    const before = await wrappings()
    t.match(await rotateMaster(using(old, next))(), { rewrapped: 0, already: 20 })
    t.same(await wrappings(), before)
    t.equal((await keyStatus(using(old, next))).unknown, 0)
  },
  'cut off anywhere it is begun anew': async (t, database) => {
    const { using, opensWith } = await deployment(t, database, people)
    let cuts = 0
    for (let limit = 100; ; limit += 250) {
      const stop = new AbortController()
      const progress = (done: number) => {
        if (done > limit) stop.abort(new Error('cut off'))
      }
      const done = await rotateMaster(using(next, old))({ signal: stop.signal, progress }).then(
        () => true,
        () => false,
      )
      await opensWith(next, old)
      if (done) break
      cuts += 1
    }
    t.ok(cuts >= 4, `${cuts} cuts`)
    await retireMaster(using(next, old))(idOf(old))
    await opensWith(next)
  },
  'a key that opens with none: nothing is begun': async (t, database) => {
    const { db, using, events, sql } = await deployment(t, database)
    const before = await db.stores.rotation.userKeysAfter(undefined, 99)
    await t.rejects(rotateMaster(using(next, foreign))(), { code: 'damaged' })
    await sql("update user_keys set wrapped = 'nonsense' where user_id = 'person-9'")
    await t.rejects(rotateMaster(using(next, old))(), { code: 'damaged' })
    t.same(await events(), [])
    const after = await db.stores.rotation.userKeysAfter(undefined, 99)
    t.same(
      after.filter(({ userId }) => userId !== 'person-9'),
      before.filter(({ userId }) => userId !== 'person-9'),
    )
  },
  'keys that people get meanwhile are seen to': async (t, database) => {
    const { db, using, opensWith, sql } = await deployment(t, database, people)
    const ring = userKeys({ provider: using(next, old).provider, store: db.stores.keys })
    const made = [...Array(30).keys()].map((n) => ring.forWrapping(`newcomer-${n}`))
    await Promise.all([rotateMaster(using(next, old))(), ...made])
    await sql(`delete from deployment_keys
      where key_use = 'check' and master_key_id = '${idOf(next)}'`)
    await t.rejects(retireMaster(using(next, old))(idOf(old)), conflict, 'the last check value')
    await opensWith(next, old)
    await retireMaster(using(next, old))(idOf(old))
    await opensWith(next)
  },
  'a killed node that had the database to itself forbids nothing once another has it': async (
    t,
    database,
  ) => {
    const { using, announce, announceAlone, opensWith } = await deployment(t, database)
    const killed = await announceAlone(old, next)
    const beside = await announce(next, old)
    await t.rejects(rotateMaster(using(next, old))(), conflict, 'beside another, it counts')
    await beside()
    const close = await announceAlone(next, old)
    await rotateMaster(using(next, old))()
    await opensWith(next, old)
    await close()
    await killed()
  },

  'a node that wraps with another key forbids it': async (t, database) => {
    const { using, announce, opensWith } = await deployment(t, database)
    const close = await announce(old, next)
    await t.rejects(rotateMaster(using(next, old))(), conflict)
    await close()
    const again = await announce(next, old)
    t.match(await rotateMaster(using(next, old))(), { rewrapped: 20 })
    await again()
    await opensWith(next, old)
  },
  'only what nothing needs is retired': async (t, database) => {
    const { using, announce, opensWith, sql } = await deployment(t, database)
    const both = using(next, old)
    await t.rejects(retireMaster(both)(idOf(old)), conflict)
    await t.rejects(retireMaster(both)(idOf(foreign)), { code: 'not_found' })
    await opensWith(next, old)
    await t.rejects(retireMaster(both)(idOf(next)), conflict, 'it wraps')
    await rotateMaster(both)()
    await sql(`update user_keys set master_key_id = null where user_id = 'person-3'`)
    await t.rejects(retireMaster(both)(idOf(old)), conflict, 'as long as one is not known')
    await rotateMaster(both)()
    const close = await announce(old, next)
    await t.rejects(retireMaster(both)(idOf(old)), conflict, 'a node wraps with it')
    await close()
    t.same(await retireMaster(both)(idOf(old)), { master_key: idOf(old), nodes: 0 })
    await t.rejects(retireMaster(both)(idOf(old)), { code: 'not_found' }, 'once')
  },
  'rows that lie about their key retire nothing': async (t, database) => {
    const { using, opensWith, sql } = await deployment(t, database)
    await opensWith(next, old)
    await sql(`update user_keys set master_key_id = '${idOf(next)}'`)
    await sql(
      `update deployment_keys set master_key_id = '${idOf(next)}' where key_use = 'index-key'`,
    )
    await t.rejects(retireMaster(using(next, old))(idOf(old)), conflict)
    await opensWith(old, next)
  },
  'an index key whose row lies is found out': async (t, database) => {
    const { using, opensWith, sql } = await deployment(t, database)
    await opensWith(next, old)
    await sql(
      `update deployment_keys set master_key_id = '${idOf(next)}' where key_use = 'index-key'`,
    )
    await sql('create table kept as select wrapped from deployment_keys')
    await sql(`update user_keys set master_key_id = null`)
    t.match(await rotateMaster(using(next, old))(), { rewrapped: 20, deployment_keys: 1 })
    await sql(`update deployment_keys d set wrapped = k.wrapped from kept k
      where d.key_use = 'index-key' and k.wrapped <> d.wrapped and not exists (
        select from deployment_keys c where c.wrapped = k.wrapped)`)
    await sql('drop table kept')
    await t.rejects(retireMaster(using(next, old))(idOf(old)), conflict)
    t.match(await rotateMaster(using(next, old))(), { rewrapped: 0, deployment_keys: 1 })
    await retireMaster(using(next, old))(idOf(old))
    await opensWith(next)
  },
  'a master key that was retired does not come back': async (t, database) => {
    const { db, using, opensWith } = await deployment(t, database)
    await rotateMaster(using(next, old))()
    await retireMaster(using(next, old))(idOf(old))
    await opensWith(next, old)
    const checks = (await db.stores.keys.deploymentKeys()).filter(({ use }) => use === 'check')
    t.same(
      checks.map(({ masterKeyId }) => masterKeyId),
      [idOf(next)],
      'a node that still knows it writes no check value',
    )
    await t.rejects(opensWith(old, next), /was retired: take it out/, 'nor wraps with it')
    const stale = userKeys({ provider: using(old, next).provider, store: db.stores.keys })
    await t.rejects(stale.forWrapping('newcomer'), { code: 'keys_unavailable' })
    await t.rejects(rotateMaster(using(old, next))(), conflict)
    await opensWith(next)
  },
  'no master key is retired under a person who comes meanwhile': async (t, database) => {
    for (let round = 0; round < 10; round++) {
      const { db, using, opensWith } = await deployment(t, database, 1)
      await rotateMaster(using(next, old))()
      // A node that was not told yet: it makes a key under the old one, or none.
      const stale = userKeys({ provider: using(old, next).provider, store: db.stores.keys })
      const [made, retired] = await Promise.allSettled([
        stale.forWrapping('newcomer'),
        retireMaster(using(next, old))(idOf(old)),
      ])
      const outcomes = [made.status, retired.status]
      t.ok(outcomes.includes('rejected') && outcomes.includes('fulfilled'), outcomes.join())
      await opensWith(...(retired.status === 'fulfilled' ? [next] : [next, old]))
    }
  },
  'the status says which step is safe': async (t, database) => {
    const { using, announce, opensWith } = await deployment(t, database)
    const safe = async (...masterKeys: string[]) => {
      const { master_keys } = await keyStatus(using(...masterKeys))
      const stepsOf = (text: string) => master_keys.find(({ id }) => id === idOf(text))?.safe
      return { old: stepsOf(old), next: stepsOf(next) }
    }
    const nodes = [await announce(old), await announce(old, next)]
    t.same(await safe(old, next), { old: [], next: ['retire'] }, 'not everywhere yet')
    await nodes[0]?.()
    await opensWith(old, next)
    t.same(await safe(old, next), { old: [], next: ['move_first', 'retire'] }, 'either way')
    const moved = await announce(next, old)
    const half = { old: ['move_first'], next: ['move_first'] }
    t.same(await safe(next, old), half, 'half moved: back or on')
    await nodes[1]?.()
    t.same(await safe(next, old), { old: ['move_first'], next: ['rotate'] })
    await rotateMaster(using(next, old))()
    t.same(await safe(next, old), { old: ['move_first', 'retire'], next: [] })
    await retireMaster(using(next, old))(idOf(old))
    await moved()
    t.same(await safe(next), { old: undefined, next: [] })
  },
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const test = await createMigratedDatabase(engine)
    t.teardown(() => test.drop())
    const database = await test.open()
    t.teardown(() => database.close())
    for (const [name, run] of Object.entries(tests)) {
      await t.test(name, async (t) => {
        await run(t, database)
      })
    }
  })
}
