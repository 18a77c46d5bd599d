import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { createEmptyDatabase } from '../helpers/databases.js'
import { randomOf } from '../helpers/random.js'

/** KILLS=200 for a soak; SEED repeats a run. */
const kills = Number(process.env['KILLS'] ?? 5)
const seed = Number(process.env['SEED'] ?? 8006)
const writer = fileURLToPath(new URL('./embedded-writer.js', import.meta.url))

const selectNumbers = {
  name: 'numbers',
  text: `SELECT coalesce(array_agg(n), '{}') AS left_half,
    (SELECT coalesce(array_agg(n), '{}') FROM right_half) AS right_half FROM left_half`,
}

interface Halves {
  readonly left_half: number[]
  readonly right_half: number[]
}

await t.test(`killed ${kills} times, seed ${seed}`, { timeout: kills * 30_000 }, async (t) => {
  const place = await createEmptyDatabase('embedded')
  t.teardown(() => place.drop())
  const random = randomOf(seed)
  const acknowledged = new Set<number>()
  let db = await place.open()
  await db.script('CREATE TABLE left_half (n int8 PRIMARY KEY, pad text)')
  await db.script('CREATE TABLE right_half (n int8 PRIMARY KEY)')
  await db.close()

  for (let kill = 1; kill <= kills; kill++) {
    const before = acknowledged.size
    const afterMs = 20 + Math.floor(random() * 1_500)
    await writeUntilKilled(place.place, kill * 1_000_000, afterMs, acknowledged)
    db = await place.open()
    const [lost, halved] = compare(acknowledged, await numbers(db))
    await db.close()
    t.strictSame(lost, [], `kill ${kill}: nothing acknowledged is lost`)
    t.strictSame(halved, [], `kill ${kill}: no transaction is there by half`)
    t.ok(acknowledged.size > before, `${acknowledged.size - before} were acknowledged before it`)
  }
})

async function writeUntilKilled(
  folder: string,
  start: number,
  afterMs: number,
  acknowledged: Set<number>,
): Promise<void> {
  const child = spawn(process.execPath, [writer, folder, String(start)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    if (text === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    text += chunk.toString()
  })
  await once(child, 'close')
  // A last line without its end was not said.
  for (const line of text.split('\n').slice(0, -1)) acknowledged.add(Number(line))
}

async function numbers(db: Database): Promise<Halves> {
  const [row] = await db.rows<Halves>(selectNumbers)
  return row ?? { left_half: [], right_half: [] }
}

function compare(acknowledged: Set<number>, found: Halves): [lost: number[], halved: number[]] {
  const left = new Set(found.left_half)
  const right = new Set(found.right_half)
  const lost = [...acknowledged].filter((n) => !left.has(n) || !right.has(n))
  const halved = [...left, ...right].filter((n) => left.has(n) !== right.has(n))
  return [lost, halved]
}
