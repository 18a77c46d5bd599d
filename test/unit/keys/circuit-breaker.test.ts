import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { CryptoError } from '../../../src/crypto/crypto-error.js'
import { circuitBreaker } from '../../../src/keys/circuit-breaker.js'
import { type KeyFault, KeysUnavailableError } from '../../../src/keys/keys-unavailable.js'

const code = 'keys_unavailable'
const fault = (kind: KeyFault) =>
  new KeysUnavailableError(kind, { holder: 'vault', masterKeyId: '0'.repeat(16) })

function setUp(openMs: number) {
  const through = circuitBreaker((met) => fault(met.fault), openMs)
  let worked = 0
  const run = (result: () => Promise<unknown>) =>
    through(async () => {
      worked += 1
      return await result()
    })
  return { run, worked: () => worked }
}

await t.test('after an outage nobody is asked for a while, then one at a time', async (t) => {
  const { run, worked } = setUp(40)
  await t.rejects(
    run(() => Promise.reject(fault('timeout'))),
    { code, fault: 'timeout' },
  )
  await t.rejects(
    run(() => Promise.resolve(1)),
    { code, fault: 'timeout' },
  )
  t.equal(worked(), 1)
  await wait(50)
  const trial = run(() => wait(20))
  await t.rejects(
    run(() => Promise.resolve(1)),
    { code, fault: 'timeout' },
    'another tries',
  )
  await trial
  t.equal(worked(), 2)
  t.equal(await run(() => Promise.resolve(5)), 5, 'it is back')
})

await t.test('a trial that fails begins it anew', async (t) => {
  const { run, worked } = setUp(40)
  for (let n = 1; n <= 2; n += 1) {
    await t.rejects(run(() => Promise.reject(fault('failing'))))
    await t.rejects(run(() => Promise.resolve(1)))
    t.equal(worked(), n)
    await wait(50)
  }
})

await t.test('an answer is no outage: not a refusal, not damage', async (t) => {
  const { run, worked } = setUp(60_000)
  await t.rejects(run(() => Promise.reject(fault('denied'))))
  await t.rejects(run(() => Promise.reject(new CryptoError('unauthentic'))))
  t.equal(await run(() => Promise.resolve(1)), 1)
  t.equal(worked(), 3)
})
