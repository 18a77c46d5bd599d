import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { filePath, type Person, personOf } from '../acceptance/support/people.js'
import { type Server, startServer } from '../acceptance/support/server.js'
import {
  type Answering,
  type EventReceiver,
  ok,
  type SinkEvent,
  sinkEvents,
  startReceiver,
  verifiedWebhook,
} from '../helpers/event-receiver.js'
import { randomOf } from '../helpers/random.js'
import { onDatabase } from './support/service-stored.js'

// The receiver of webhooks and the portal's log are away for an hour, compressed to AWAY_SECONDS with the
// waits: nobody listens, errors, no answers, answers that are lost. People go on storing, reading and
// deleting, and the service is killed meanwhile. Then both are back: every event of the audit log arrived,
// in the order of each file. SEED repeats what is drawn, not its timing.

const awaySeconds = Number(process.env['AWAY_SECONDS'] ?? 40)
const kills = Number(process.env['OUTBOX_KILLS'] ?? 4)
const seed = Number(process.env['SEED'] ?? 8006)
const random = randomOf(seed)
const clients = 4
const secret = `whsec_${Buffer.alloc(32, seed % 256).toString('base64')}`

/** Long enough for the lease of the last process that was killed. */
const arriveLimit = 180_000

const absences: readonly Answering[] = [
  () => ({ status: 503 }),
  () => ({ status: 503, headers: { 'retry-after': '1' } }),
  () => ({ status: 500 }),
  () => ({ status: 502, isLost: true }),
  () => undefined,
  // It has it, and nobody learns of that.
  () => ({ status: 204, isLost: true }),
]

/** Another way to be away every now and then. */
async function beAway(receiver: EventReceiver, until: () => boolean): Promise<void> {
  while (!until()) {
    const answering = absences[Math.floor(random() * (absences.length + 2))]
    if (answering === undefined) await receiver.goAway()
    else receiver.answering = answering
    await wait(1_000 + random() * 3_000)
    if (answering === undefined) await receiver.comeBack()
  }
  receiver.answering = () => ok
}

/** One who stores, reads, and deletes, one thing after the other, whatever becomes of it. */
async function live(person: Person, until: () => boolean): Promise<{ done: number; lost: number }> {
  const files: string[] = []
  const counts = { done: 0, lost: 0 }
  const act = async (n: number) => {
    const draw = random()
    const file = files[Math.floor(random() * files.length)]
    if (file === undefined || draw < 0.4) files.push(await person.file(pdf(`${person.id} ${n}`)))
    else if (draw < 0.7) await person.get(filePath(file))
    else if (draw < 0.85) await person.get('/api/files/user')
    else {
      files.splice(files.indexOf(file), 1)
      await person.delete(filePath(file))
    }
  }
  for (let n = 0; !until(); n++) {
    try {
      await act(n)
      counts.done += 1
    } catch {
      // The service is being killed: what of it was committed, the audit log knows.
      counts.lost += 1
      await wait(200)
    }
    await wait(random() * 200)
  }
  return counts
}

async function untilEmpty(server: Server): Promise<number> {
  const start = performance.now()
  for (;;) {
    const { code, out, err } = await server.command('outbox', 'list', '--waiting', '--json')
    if (code !== 0) throw new Error(`outbox list: ${code} ${err} ${out}`)
    const { counts } = JSON.parse(out) as { counts: readonly unknown[] }
    if (counts.length === 0) return Math.round(performance.now() - start)
    if (performance.now() - start > arriveLimit) throw new Error(`It is not delivered: ${out}`)
    await wait(1_000)
  }
}

interface Told {
  readonly eventId: string
  readonly action: string
  readonly outcome: string
  readonly resource: string
  readonly at: number
}

const everyEvent = {
  name: '',
  text: `select event_id as "eventId", action, outcome, at,
      coalesce(file_id::text, patient_id, subject_id, actor_id) as resource from audit_events`,
}

/** The log itself, of a service that has stopped. */
async function auditLog(server: Server): Promise<Told[]> {
  const rows = await onDatabase(server, (database) =>
    database.rows<Omit<Told, 'at'> & { at: Date }>(everyEvent),
  )
  return rows.map((row) => ({ ...row, at: row.at.getTime() }))
}

/** Ids as they came the first time. */
const firsts = (ids: readonly string[]) => [...new Set(ids)]

/** Resources whose events did not arrive in the order they have in the log. */
function outOfOrder(arrived: readonly string[], log: ReadonlyMap<string, Told>): string[] {
  const last = new Map<string, number>()
  const wrong: string[] = []
  for (const id of arrived) {
    const told = log.get(id)
    if (told === undefined) wrong.push(`${id} is not in the log`)
    else if (told.at < (last.get(told.resource) ?? 0)) wrong.push(told.resource)
    else last.set(told.resource, told.at)
  }
  return wrong
}

const idOf = (event: SinkEvent) => String(event['event_id'])
const webhookActions = ['file.upload', 'file.delete']

await t.test(
  `away for ${awaySeconds} s, ${kills} kills, seed ${seed}`,
  { timeout: 900_000 },
  async (t) => {
    const [webhook, sink] = [await startReceiver(), await startReceiver()]
    t.teardown(async () => {
      await Promise.all([webhook.goAway(), sink.goAway()])
    })
    const settings = {
      LOG_LEVEL: 'warn',
      WEBHOOK_URL: webhook.url,
      WEBHOOK_SECRET: secret,
      AUDIT_SINK_URL: sink.url,
      DATABASE_SERVICE_TOKEN: 'service-token-0123456789',
      OUTBOX_RETRY_SECONDS: '1,4',
    }
    const server = await startServer(settings)
    t.teardown(() => server.close())
    const exp = Math.floor(Date.now() / 1_000) + 86_400
    const people = Array.from({ length: clients }, (_, n) =>
      personOf(server, `person-${n}`, { exp }),
    )
    const is = { over: false }
    const over = () => is.over
    const living = people.map((person) => live(person, over))
    const away = [webhook, sink].map((receiver) => beAway(receiver, over))
    for (let kill = 0; kill < kills; kill++) {
      await wait((awaySeconds * 1_000 * (0.4 + 0.6 * random())) / (kills + 1))
      await server.kill()
      await server.start(settings)
    }
    await wait((awaySeconds * 1_000) / (kills + 1))
    is.over = true
    const counts = await Promise.all(living)
    await Promise.all(away)
    const ms = await untilEmpty(server)
    await server.stop()

    const log = new Map((await auditLog(server)).map((told) => [told.eventId, told]))
    const arrived = sink.taken.flatMap(sinkEvents).map(idOf)
    const missing = [...log.keys()].filter((id) => !arrived.includes(id))
    t.same(missing, [], 'every event reached the log of the portal')
    t.same(outOfOrder(firsts(arrived), log), [], 'in order')
    const hooks = webhook.taken.map((arrival) => verifiedWebhook(arrival, secret).id)
    const wanted = [...log.values()].filter(
      ({ action, outcome }) => outcome === 'success' && webhookActions.includes(action),
    )
    t.ok(wanted.length > 20, `${wanted.length} webhooks`)
    t.same(
      wanted.filter(({ eventId }) => !hooks.includes(eventId)).map(({ action }) => action),
      [],
      'every webhook was received',
    )
    t.same(outOfOrder(firsts(hooks), log), [], 'in order')
    t.ok(server.logs().includes('events is away'), 'their absence is said')
    const lines = server
      .logs()
      .split('\n')
      .filter((line) => line.includes('destination of events'))
    t.ok(lines.length < 20 * (kills + 1), `${lines.length} lines, not one for each message`)
    const figures = {
      events: log.size,
      ...{ twice: arrived.length - firsts(arrived).length, webhooks: hooks.length },
      done: counts.reduce((sum, { done }) => sum + done, 0),
      lost: counts.reduce((sum, { lost }) => sum + lost, 0),
      ...{ requests: sink.asked.length, ms },
    }
    t.comment(`total: ${JSON.stringify(figures)}`)
  },
)
