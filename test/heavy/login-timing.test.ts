import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startServer } from '../acceptance/support/server.js'

// Whether there is an account cannot be told by the time of the answer: a rank test over 400 of them.

const EACH = 200
const AT_ONCE = 8

const server = await startServer({ TRUST_PROXY: '1' })
t.teardown(() => server.close())

const password = 'seven crooked lanterns of Graz'
const file = join(server.dataDir, '..', 'password')
await writeFile(file, password, { mode: 0o600 })
const { code, err } = await server.command(
  ...['user', 'create', '--email', 'root@clinic.example', '--admin', '--password-file', file],
)
if (code !== 0) throw new Error(err)

let addresses = 0
async function login(email: string, given: string) {
  addresses += 1
  const start = performance.now()
  const answer = await server.call('/api/v1/auth/login', {
    method: 'POST',
    headers: { 'x-forwarded-for': `10.1.${addresses >> 8}.${addresses & 255}` },
    json: { email, password: given },
  })
  return { ms: performance.now() - start, answer }
}

const { answer: opened } = await login('root@clinic.example', password)
const token = (opened.body as { readonly access_token?: string }).access_token ?? ''

async function inTurns<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  const left = [...items]
  const one = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, one))
}

/** Mann and Whitney's U, as a standard normal: how far one side is ahead of the other. */
function rankScore(one: readonly number[], other: readonly number[]): number {
  const all = [
    ...one.map((ms) => ({ ms, mine: true })),
    ...other.map((ms) => ({ ms, mine: false })),
  ]
  all.sort((a, b) => a.ms - b.ms)
  const ranks = all.reduce((sum, { mine }, at) => sum + (mine ? at + 1 : 0), 0)
  const [n, m] = [one.length, other.length]
  const u = ranks - (n * (n + 1)) / 2
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12)
}

const known = Array.from({ length: EACH }, (_, n) => `known-${n}@clinic.example`)
const unknown = Array.from({ length: EACH }, (_, n) => `nobody-${n}@clinic.example`)

await t.test(`${EACH} accounts`, async (t) => {
  const statuses = new Set<number>()
  await inTurns(known, async (email) => {
    const json = { email, password }
    const { status } = await server.call('/api/v1/users', { method: 'POST', token, json })
    statuses.add(status)
  })
  t.same([...statuses], [201])
})

await t.test('a wrong password and an unknown account take the same time', async (t) => {
  const times = { known: [] as number[], unknown: [] as number[] }
  const statuses = new Set<number>()
  const mixed = known.flatMap((email, at) => [
    { email, side: times.known },
    { email: unknown[at] ?? '', side: times.unknown },
  ])
  await inTurns(mixed, async ({ email, side }) => {
    const { ms, answer } = await login(email, 'not the password')
    statuses.add(answer.status)
    side.push(ms)
  })
  t.same([...statuses], [401])
  const score = rankScore(times.known, times.unknown)
  t.ok(Math.abs(score) < 4, `score ${score.toFixed(2)} of a standard normal`)
  t.ok(Math.min(...times.known, ...times.unknown) >= 499, 'none is answered at once')
})

await t.test('the test can tell what takes another time', async (t) => {
  const right: number[] = []
  const wrong: number[] = []
  const measure = async (email: string) => {
    right.push((await login(email, password)).ms)
    wrong.push((await login(email, 'not the password')).ms)
  }
  await inTurns(known.slice(0, 20), measure, 1)
  const score = rankScore(right, wrong)
  t.ok(Math.abs(score) > 4, `score ${score.toFixed(2)}`)
})
