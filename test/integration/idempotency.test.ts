import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import { transactions } from '../../src/db/stores.js'
import { idempotency } from '../../src/idempotency/idempotency.js'
import { indexHash } from '../../src/keys/index-hash.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'

const caller = { userId: 'anna', route: 'POST file', key: 'key-1' }
const endLease = {
  name: 'end-lease',
  text: "UPDATE idempotency_keys SET lease_until = statement_timestamp() - interval '1 second'",
}
const selectPeople = {
  name: 'people',
  text: "SELECT principal_id FROM principals WHERE principal_id = 'made by the first'",
}
const selectLease = {
  name: 'lease',
  text: 'SELECT lease_until AS until FROM idempotency_keys WHERE caller_id = $1',
}

for (const engine of engines) {
  await t.test(`who has lost a claim commits nothing, on ${engine}`, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    const db = transactions(database, unsignedWriter)
    const hash = indexHash(FernetKey.generate())
    const keys = idempotency({ db, hash, onProblem: (error) => t.error(error) })
    const slow = keys.run(caller, async (claim) => {
      await database.rows(endLease, [])
      await keys.run(caller, (successor) =>
        successor.complete(db.stores.idempotency, 'content', 'of the second'),
      )
      await db.transaction(async (stores) => {
        await stores.files.ensurePeople(['made by the first'])
        await claim.complete(stores.idempotency, 'content', 'of the first')
      })
    })
    await t.rejects(slow, { code: 'in_progress' })
    t.same(await database.rows(selectPeople), [], 'its transaction left nothing')
    const made = await keys.run(caller, (claim) => Promise.resolve(claim.replayOf('content')))
    t.equal(made, 'of the second')
  })

  await t.test(`a claim stands as long as its request works, on ${engine}`, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    const db = transactions(database, unsignedWriter)
    const hash = indexHash(FernetKey.generate())
    const keys = idempotency({ db, hash, leaseMs: 4_000, onProblem: (error) => t.error(error) })
    const leaseEnd = async (): Promise<number> => {
      const [row] = await database.rows<{ until: Date }>(selectLease, [caller.userId])
      return row?.until.getTime() ?? 0
    }

    await keys.run(caller, async (claim) => {
      for (let renewals = 0, seen = await leaseEnd(); renewals < 2; ) {
        await wait(50)
        const now = await leaseEnd()
        if (now > seen) renewals += 1
        seen = now
      }
      await t.rejects(
        keys.run(caller, () => Promise.resolve()),
        { code: 'in_progress' },
      )
      await claim.complete(db.stores.idempotency, 'content', 'resource')
    })
    await keys.run(caller, (claim) => {
      t.equal(claim.replayOf('content'), 'resource')
      return Promise.resolve()
    })
  })
}
