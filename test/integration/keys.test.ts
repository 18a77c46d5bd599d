import t, { type Test } from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { openDeploymentKeys } from '../../src/keys/deployment-keys.js'
import { localKeyProvider } from '../../src/keys/local-key-provider.js'
import { userKeys } from '../../src/keys/user-keys.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

const [first, second] = [FernetKey.generate().exportText(), FernetKey.generate().exportText()]

/** Starts as a node does; the index key it works with. */
async function start(db: Database, ...masterKeys: string[]): Promise<string> {
  const { keys: store } = transactions(db, unsignedWriter).stores
  const key = await openDeploymentKeys({ provider: localKeyProvider(masterKeys), store })
  return key.exportText()
}

async function sealSomething(db: Database, masterKey: string): Promise<void> {
  const store = transactions(db, unsignedWriter).stores.keys
  await userKeys({ provider: localKeyProvider([masterKey]), store }).forWrapping('patient')
}

async function count(db: Database): Promise<number> {
  const text = 'select key_use from deployment_keys'
  return (await db.rows({ name: 'deployment-keys-test', text })).length
}

const wrongKeys = { name: 'WrongKeysError' }

const tests: Record<string, (t: Test, db: Database) => Promise<void>> = {
  'a fresh start makes keys, the next finds them': async (t, db) => {
    const made = await start(db, first)
    t.equal(await count(db), 2)
    await sealSomething(db, first)
    t.equal(await start(db, first), made)
    t.equal(await count(db), 2)
  },
  'a master key more is taken in, in any order': async (t, db) => {
    const made = await start(db, first)
    await sealSomething(db, first)
    t.equal(await start(db, second, first), made)
    t.equal(await count(db), 3)
    t.equal(await start(db, first, second), made)
  },
  'a wrong master key is refused and nothing is made': async (t, db) => {
    await start(db, first)
    await t.rejects(start(db, second), wrongKeys, 'before anything is sealed')
    await sealSomething(db, first)
    await t.rejects(start(db, second), wrongKeys)
    t.equal(await count(db), 2)
  },
  'missing check values over sealed data are refused': async (t, db) => {
    await start(db, first)
    await sealSomething(db, first)
    await db.script("delete from deployment_keys where key_use = 'check'")
    await t.rejects(start(db, first), wrongKeys)
    t.equal(await count(db), 1)
  },
  'a missing index key over sealed data is refused': async (t, db) => {
    await start(db, first)
    await sealSomething(db, first)
    await db.script("delete from deployment_keys where key_use = 'index-key'")
    await t.rejects(start(db, first), wrongKeys)
    t.equal(await count(db), 1)
  },
  'an index key that does not open is refused': async (t, db) => {
    await start(db, first)
    await db.script(`update deployment_keys i set wrapped = c.wrapped from deployment_keys c
      where i.key_use = 'index-key' and c.key_use = 'check'`)
    await t.rejects(start(db, first), wrongKeys, 'a wrapping of another use')
  },
  'nodes that start at once work with one index key': async (t, db) => {
    const keys = await Promise.all([1, 2, 3, 4].map(() => start(db, first)))
    t.equal(new Set(keys).size, 1)
    t.equal(await count(db), 2)
  },
  'two nodes with different master keys: one starts': async (t, db) => {
    const started = await Promise.allSettled([start(db, first), start(db, second)])
    const refused = started.filter((one) => one.status === 'rejected')
    t.equal(refused.length, 1)
    t.match(refused[0]?.reason, wrongKeys)
  },
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const db = await place.open()
    t.teardown(() => db.close())
    const fresh = async () => {
      await db.script('delete from user_keys; delete from principals; delete from deployment_keys')
    }
    for (const [name, test] of Object.entries(tests)) {
      await t.test(name, async (t) => {
        await fresh()
        await test(t, db)
      })
    }
  })
}
