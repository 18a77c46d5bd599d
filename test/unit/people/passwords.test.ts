import { hash } from '@node-rs/argon2'
import { hash as bcrypt } from 'bcryptjs'
import t from 'tap'
import {
  checkStrength,
  isOutdated,
  isPasswordHash,
  passwords,
} from '../../../src/people/passwords.js'

const of = passwords()
const password = 'café by the harbour, 7 gulls'

await t.test(
  'a hash carries its parameters, and others are taken and known to be others',
  async (t) => {
    const ours = await of.hash(password)
    t.match(ours, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    t.equal(await of.matches(password, ours), true)
    t.equal(await of.matches(`${password}!`, ours), false)
    t.equal(isOutdated(ours), false)
    const weaker = await hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 })
    t.equal(await of.matches(password, weaker), true)
    t.equal(isOutdated(weaker), true)
    const older = await bcrypt('of an older service', 4)
    t.equal(await of.matches('of an older service', older), true)
    t.equal(await of.matches('of another service', older), false)
    t.equal(isOutdated(older), true)
    for (const each of [ours, weaker, older]) t.equal(isPasswordHash(each), true)
    for (const each of [
      '',
      'secret',
      '$2b$31$',
      '$argon2i$v=19$m=1,t=1,p=1$aaaaaaaaaaa$x',
      `${older}x`,
    ]) {
      t.equal(isPasswordHash(each), false, each)
    }
  },
)

await t.test('without an account it is false, whatever is given', async (t) => {
  t.equal(await of.matches(password, undefined), false)
  t.equal(await of.matches('', undefined), false)
})

await t.test('the same password, however it was typed', async (t) => {
  const known = await of.hash('caf\u00e9 by the harbour')
  t.equal(await of.matches('cafe\u0301 by the harbour', known), true)
})

await t.test('so many at a time wait, and no more', async (t) => {
  const crowd = passwords()
  const known = await crowd.hash(password)
  const outcomes = await Promise.allSettled(
    Array.from({ length: 80 }, () => crowd.matches(password, known)),
  )
  const refused = outcomes.filter(({ status }) => status === 'rejected')
  t.equal(outcomes.length - refused.length, 66, 'two at work and 64 that wait')
  t.match(refused[0], { reason: { code: 'too_many_requests', retryAfter: 2 } })
  t.equal(await crowd.matches(password, known), true, 'afterwards it goes on')
})

await t.test('a hash that cannot be read is an error, and takes nobody’s turn', async (t) => {
  for (let nth = 0; nth < 3; nth++) await t.rejects(of.matches(password, '$argon2id$broken'))
  t.equal(await of.matches(password, await of.hash(password)), true)
})

await t.test('what is guessed first is refused', async (t) => {
  const weak = (text: string, about: readonly string[] = []) =>
    t.rejects(checkStrength(text, about), { code: 'weak_password' }, text.slice(0, 40))
  for (const each of ['', 'a1!B2?c3', 'password1234', 'aaaaaaaaaaaaaaa', 'qwertyuiopasdf']) {
    await weak(each)
  }
  await weak('margarethe1950', ['m.huber@clinic.example', 'Margarethe Huber'])
  await weak('nul\0nul\0 tangerine')
  await weak('x9 '.repeat(100))
  await t.resolves(checkStrength('tangerine gearbox by the lake', ['anna@clinic.example']))
  await t.resolves(
    checkStrength('😀🦊🐝🐢🦉🐙🌵🍉🚲🎻⛵🪁', []),
    'twelve characters, whatever they are',
  )
})
