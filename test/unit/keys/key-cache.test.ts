import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { KeyCache } from '../../../src/keys/key-cache.js'
import { type KeyFault, KeysUnavailableError } from '../../../src/keys/keys-unavailable.js'

const row = { userId: 'anna', version: 1, wrapped: 'text' }
const code = 'keys_unavailable'
const fault = (kind: KeyFault) =>
  new KeysUnavailableError(kind, { holder: 'vault', masterKeyId: '0'.repeat(16) })
const gives = (key: FernetKey) => () => Promise.resolve(key)
const fails = (kind: KeyFault) => () => Promise.reject(fault(kind))

await t.test('an outage is bridged by a key that is no longer fresh, for its time', async (t) => {
  const cache = new KeyCache({ freshMs: 20, outageMs: 150, size: 10 })
  const key = FernetKey.generate()
  t.equal(await cache.get(row, gives(key)), key)
  await wait(40)
  for (const kind of ['unreachable', 'timeout', 'throttled', 'failing', 'garbage'] as const) {
    t.equal(await cache.get(row, fails(kind)), key, kind)
  }
  await wait(150)
  await t.rejects(cache.get(row, fails('timeout')), { code, away: true }, 'the time is up')
  const next = FernetKey.generate()
  t.equal(await cache.get(row, gives(next)), next, 'back')
})

await t.test('a refusal ends it, also for the outage that follows', async (t) => {
  for (const kind of ['disabled', 'denied', 'missing', 'unfit', 'refused'] as const) {
    const cache = new KeyCache({ freshMs: 0, outageMs: 60_000, size: 10 })
    await cache.get(row, gives(FernetKey.generate()))
    await t.rejects(cache.get(row, fails(kind)), { code, away: false, fault: kind })
    await t.rejects(cache.get(row, fails('timeout')), { code, fault: 'timeout' }, kind)
  }
})

await t.test('another wrapping, version or person has nothing of it', async (t) => {
  const cache = new KeyCache({ freshMs: 60_000, outageMs: 60_000, size: 10 })
  await cache.get(row, gives(FernetKey.generate()))
  for (const other of [
    { ...row, wrapped: 'other' },
    { ...row, version: 2 },
    { ...row, userId: 'bert' },
  ]) {
    await t.rejects(cache.get(other, fails('timeout')), { code, away: true })
  }
})

await t.test('without a time for outages none is bridged', async (t) => {
  const cache = new KeyCache({ freshMs: 10, outageMs: 0, size: 10 })
  await cache.get(row, gives(FernetKey.generate()))
  await wait(20)
  await t.rejects(cache.get(row, fails('timeout')), { code, away: true })
})

await t.test('who asks at once shares one unwrapping, its failure too', async (t) => {
  const cache = new KeyCache({ freshMs: 60_000, outageMs: 0, size: 10 })
  let unwrapped = 0
  const slowly = (result: () => Promise<FernetKey>) => async () => {
    unwrapped += 1
    await wait(20)
    return await result()
  }
  const many = (result: () => Promise<FernetKey>) =>
    Promise.allSettled(Array.from({ length: 5 }, () => cache.get(row, slowly(result))))
  const failed = await many(fails('timeout'))
  t.ok(failed.every(({ status }) => status === 'rejected'))
  t.equal(unwrapped, 1)
  await many(gives(FernetKey.generate()))
  t.equal(unwrapped, 2, 'a failure is not remembered')
})
