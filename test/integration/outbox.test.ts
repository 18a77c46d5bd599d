import { randomBytes, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { AuditAction, AuditFacts } from '../../src/audit/audit-events.js'
import { auditEvent, auditLog } from '../../src/audit/audit-log.js'
import { unsignedWriter } from '../../src/audit/audit-writer.js'
import type { Database } from '../../src/db/database.js'
import { transactions } from '../../src/db/stores.js'
import { auditSink } from '../../src/integrations/audit-sink.js'
import { webhookReceiver } from '../../src/integrations/webhook-receiver.js'
import { bell } from '../../src/outbox/bell.js'
import { deliverOutbox } from '../../src/outbox/deliver-outbox.js'
import { lookAfterOutbox } from '../../src/outbox/look-after-outbox.js'
import { outboxRules } from '../../src/outbox/outbox-rules.js'
import { eventually } from '../acceptance/support/eventually.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'
import {
  type Answering,
  type EventReceiver,
  ok,
  sinkEvents,
  startReceiver,
  verifiedWebhook,
} from '../helpers/event-receiver.js'
import { actor } from '../helpers/service.js'

const key = randomBytes(32)
const secret = `whsec_${key.toString('base64')}`
const quick = { firstMs: 20, maxMs: 200 }

interface Setting {
  readonly webhook?: EventReceiver
  readonly sink?: EventReceiver
  readonly retry?: typeof quick
  readonly giveUpMs?: number
  readonly timeoutMs?: number
}

const everything = ['file.*', 'record.*', 'auth.*', 'outbox.*']

/** An outbox on a database, with who is told; nothing is delivered before `deliver`. */
async function outboxOn(t: Test, database: Database, setting: Setting) {
  await database.rows({ name: 'outbox-test-empty', text: 'delete from outbox' })
  const { webhook, sink, retry = quick, giveUpMs = 3_600_000, timeoutMs = 5_000 } = setting
  const rings = bell()
  const rules = outboxRules(
    {
      webhook: webhook !== undefined,
      sink: sink !== undefined,
      webhookEvents: everything,
    },
    () => {
      rings.ring()
    },
  )
  const db = transactions(database, unsignedWriter, { outbox: rules })
  const said: string[] = []
  const say = (_facts: unknown, message: string) => void said.push(message)
  const receivers = {
    ...(webhook && { webhook: webhookReceiver({ url: webhook.url, secrets: [key], timeoutMs }) }),
    ...(sink && { sink: auditSink({ url: sink.url, token: 'token', timeoutMs }) }),
  }
  const handler = deliverOutbox({
    ...{ db, receivers, bell: rings, retry, giveUpMs, lookEveryMs: 50 },
    log: { info: say, warn: say },
  })
  const job = { jobId: '', kind: '', payload: {}, attempts: 1, failures: 0, progress: null }
  const deliver = () => {
    const stopping = new AbortController()
    const context = { saveProgress: () => Promise.resolve(), tell: () => undefined }
    const ended = handler(job, { ...context, signal: stopping.signal })
    const stop = async () => {
      stopping.abort()
      await ended
    }
    t.teardown(stop)
    return { stop }
  }
  t.teardown(async () => {
    for (const receiver of Object.values(receivers)) await receiver.close()
  })
  const waits = async () => await db.stores.outbox.list({ waitingToo: true }, 1_000)
  return {
    ...{ db, said, deliver, waits, looking: lookAfterOutbox({ db }) },
    note: async (action: AuditAction, facts: Partial<AuditFacts> = {}, who = 'ann') => {
      await auditLog(db).note(actor(who), { action, outcome: 'success', ...facts })
    },
    none: () => eventually('the outbox is empty', async () => (await waits()).length === 0),
  }
}

async function receiverFor(t: Test, answering?: Answering): Promise<EventReceiver> {
  const receiver = await startReceiver(answering)
  t.teardown(() => receiver.goAway())
  return receiver
}

const webhooksOf = (receiver: EventReceiver) =>
  receiver.taken.map((arrival) => verifiedWebhook(arrival, secret))
const eventsOf = (receiver: EventReceiver) => receiver.taken.flatMap(sinkEvents)
const fileIn = (body: string) => (JSON.parse(body) as { data: { file_id?: string } }).data.file_id

const tests: Record<string, (t: Test, database: Database) => Promise<void>> = {
  'an event arrives at both, in ids here and whole there': async (t, database) => {
    const [webhook, sink] = [await receiverFor(t), await receiverFor(t)]
    const { note, deliver, none } = await outboxOn(t, database, { webhook, sink })
    deliver()
    const fileId = randomUUID()
    await note('file.upload', { fileId, version: 1, bytes: 5 })
    await none()
    const [hook] = webhooksOf(webhook)
    t.match(hook, {
      type: 'file.upload',
      data: { actor_id: 'ann', file_id: fileId, version: 1, bytes: 5, outcome: 'success' },
    })
    t.notMatch(webhook.taken[0]?.body, /192\.0\.2\.1|user_agent|"test"/)
    const [event] = eventsOf(sink)
    t.match(event, {
      event_id: hook?.id,
      at: hook?.timestamp,
      action: 'file.upload',
      file_id: fileId,
      patient_id: null,
      ip: '192.0.2.1',
      user_agent: 'test',
      roles: ['patient'],
      writer_id: String,
      writer_number: Number,
      settled: Number,
      mac: String,
    })
    t.match(sink.taken[0]?.headers, {
      authorization: 'Bearer token',
      'idempotency-key': /^\S{43}$/,
    })
  },
  'a commit is told at once, and what is rolled back is not': async (t, database) => {
    const sink = await receiverFor(t)
    const { db, note, deliver, none, waits } = await outboxOn(t, database, { sink })
    const failing = db.transaction(async ({ audit }) => {
      await audit.append(auditEvent(actor('ann'), { action: 'file.delete', outcome: 'success' }))
      throw new Error('rolled back')
    })
    await t.rejects(failing, { message: 'rolled back' })
    t.same(await waits(), [])
    await note('auth.refused', { outcome: 'denied' })
    t.equal((await waits()).length, 1)
    deliver()
    await none()
    t.match(eventsOf(sink), [{ action: 'auth.refused', outcome: 'denied' }])
  },
  'nothing is written where nobody is told': async (t, database) => {
    const { note, waits } = await outboxOn(t, database, {})
    await note('file.upload')
    t.same(await waits(), [])
  },
  'order within a file, while others go on': async (t, database) => {
    const stuck = randomUUID()
    let isStuck = true
    const webhook = await receiverFor(t, ({ body }) =>
      isStuck && fileIn(body) === stuck ? { status: 422 } : ok,
    )
    const { note, deliver, waits, none, said } = await outboxOn(t, database, { webhook })
    const files = [stuck, ...Array.from({ length: 9 }, () => randomUUID())]
    for (let version = 1; version <= 10; version++) {
      for (const fileId of files) await note('file.version_add', { fileId, version })
    }
    deliver()
    await eventually('the others arrived', async () => (await waits()).length === 10)
    t.equal(webhook.taken.length, 90)
    t.ok(webhook.asked.length > 90)
    isStuck = false
    await none()
    for (const fileId of files) {
      const own = webhooksOf(webhook).filter(({ data }) => data['file_id'] === fileId)
      t.same(
        own.map(({ data }) => data['version']),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        fileId,
      )
    }
    t.same(said, [], 'the receiver was never away')
  },
  'the sink is told in the order of the log, one event to blame aside': async (t, database) => {
    const poison = randomUUID()
    let isPoison = true
    const sink = await receiverFor(t, (arrival) =>
      isPoison && arrival.body.includes(poison) ? { status: 400 } : ok,
    )
    const { note, deliver, waits, none } = await outboxOn(t, database, { sink })
    const other = randomUUID()
    await note('file.upload', { fileId: other, version: 1 })
    for (const version of [1, 2]) await note('file.upload', { fileId: poison, version })
    for (let version = 2; version <= 250; version++) {
      await note('file.view', { fileId: other, version })
    }
    deliver()
    await eventually('all but two', async () => (await waits()).length === 2)
    const versions = eventsOf(sink).map(({ version }) => version)
    t.same(
      versions,
      Array.from({ length: 250 }, (_, index) => index + 1),
    )
    t.ok(sink.taken.length < 60, `${sink.taken.length} requests`)
    isPoison = false
    await none()
    t.match(eventsOf(sink).slice(250), [
      { file_id: poison, version: 1 },
      { file_id: poison, version: 2 },
    ])
  },
  'one that is away is left alone, and gets everything in order when it is back': async (
    t,
    database,
  ) => {
    const [webhook, sink] = [await receiverFor(t), await receiverFor(t)]
    const { note, deliver, waits, none, said } = await outboxOn(t, database, { webhook, sink })
    await webhook.goAway()
    sink.answering = () => ({ status: 502 })
    deliver()
    const fileId = randomUUID()
    for (let version = 1; version <= 200; version++) {
      await note('file.view', { fileId: version % 2 ? fileId : randomUUID(), version })
    }
    await eventually('it is said', () => said.length >= 2)
    t.equal(said.filter((line) => line.includes('is away')).length, 2)
    const askedBefore = sink.asked.length
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const asked = sink.asked.length - askedBefore
    t.ok(asked >= 2 && asked <= 12, `asked ${asked} times in a second, of 200 messages`)
    t.equal((await waits()).length, 400, 'nothing is lost')
    await webhook.comeBack()
    sink.answering = () => ok
    await none()
    const versions = eventsOf(sink).map(({ version }) => Number(version))
    t.equal(new Set(versions).size, 200)
    const early = versions.filter((version, at) => version > (versions[at + 1] ?? 201))
    t.ok(early.length <= 1, 'in the order of the log, but for one that was a trial')
    const own = webhooksOf(webhook).filter(({ data }) => data['file_id'] === fileId)
    t.same(
      own.map(({ data }) => data['version']),
      Array.from({ length: 100 }, (_, index) => 2 * index + 1),
    )
    t.equal(new Set(webhooksOf(webhook).map(({ id }) => id)).size, 200)
    await eventually('it is said', () => said.length === 4)
    t.equal(said.filter((line) => line.includes('is back')).length, 2)
  },
  'one message that always fails keeps nobody else waiting': async (t, database) => {
    const bad = randomUUID()
    const webhook = await receiverFor(t, ({ body }) =>
      fileIn(body) === bad ? { status: 500 } : ok,
    )
    const { note, deliver, waits } = await outboxOn(t, database, { webhook })
    deliver()
    await note('file.upload', { fileId: bad })
    for (let turn = 0; turn < 20; turn++) {
      await note('file.upload', { fileId: randomUUID() })
      await eventually('the other arrived', async () => (await waits()).length === 1, 2_000)
    }
    t.match(await waits(), [{ resource: bad, lastReason: 'status_500', deadAt: null }])
  },
  'one that is refused when all else is delivered is tried at its time alone': async (
    t,
    database,
  ) => {
    const webhook = await receiverFor(t, () => ({ status: 503 }))
    const retry = { firstMs: 100, maxMs: 400 }
    const { note, deliver, said } = await outboxOn(t, database, { webhook, retry })
    await note('file.upload', { fileId: randomUUID() })
    deliver()
    await eventually('away', () => said.length === 1)
    webhook.answering = () => ({ status: 422 })
    await eventually('back', () => said.length === 2)
    const before = webhook.asked.length
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const asked = webhook.asked.length - before
    t.ok(asked >= 1 && asked <= 12, `asked ${asked} times in a second`)
  },
  'it waits as long as it is asked to': async (t, database) => {
    let busy = true
    const webhook = await receiverFor(t, () =>
      busy ? { status: 429, headers: { 'retry-after': '1' } } : ok,
    )
    const retry = { firstMs: 20, maxMs: 5_000 }
    const { note, deliver, none } = await outboxOn(t, database, { webhook, retry })
    await note('file.upload', { fileId: randomUUID() })
    deliver()
    await eventually('asked', () => webhook.asked.length === 1)
    const began = performance.now()
    busy = false
    await none()
    t.ok(performance.now() - began > 800, 'a second')
    t.equal(webhook.asked.length, 2)
  },
  'no answer within the time is none, and redirects are not followed': async (t, database) => {
    const webhook = await receiverFor(t, () => undefined)
    const setting = { webhook, timeoutMs: 100 }
    const { note, deliver, waits } = await outboxOn(t, database, setting)
    await note('file.upload', { fileId: randomUUID() })
    const { stop } = deliver()
    const reasonIs = async (reason: string) => (await waits())[0]?.lastReason === reason
    await eventually('timeout', () => reasonIs('timeout'))
    const other = await receiverFor(t)
    webhook.answering = () => ({ status: 307, headers: { location: other.url } })
    await eventually('redirect', () => reasonIs('status_307'))
    await stop()
    t.same(other.asked, [])
  },
  'what fails for too long is a dead letter, and holds up nothing': async (t, database) => {
    const bad = randomUUID()
    const webhook = await receiverFor(t, ({ body }) =>
      fileIn(body) === bad && body.includes('"version":1') ? { status: 422 } : ok,
    )
    const setting = { webhook, giveUpMs: 100 }
    const { note, deliver, waits, none, looking } = await outboxOn(t, database, setting)
    for (const version of [1, 2]) await note('file.version_add', { fileId: bad, version })
    deliver()
    await eventually('dead', async () => (await waits())[0]?.deadAt instanceof Date)
    await eventually('the next', async () => (await waits()).length === 1)
    t.equal(webhook.taken.length, 1)
    const listing = await looking.list({ waitingToo: false }, 10)
    t.match(listing, {
      counts: [{ destination: 'webhook', waiting: 0, dead: 1 }],
      messages: [{ lastReason: 'status_422', attempts: 5 }],
    })
    webhook.answering = () => ok
    t.equal(await looking.replay({ waitingToo: false }, actor('operator')), 1)
    await none()
    t.match(
      webhooksOf(webhook).map(({ type, data }) => [type, data['version'], data['bytes']]),
      [
        ['file.version_add', 2],
        ['file.version_add', 1],
        ['outbox.replay', undefined, 1],
      ],
    )
  },
  'when all is away for too long, all that is as old is dead': async (t, database) => {
    const sink = await receiverFor(t, () => ({ status: 503 }))
    const setting = { sink, giveUpMs: 1_000 }
    const { note, deliver, waits, none, looking } = await outboxOn(t, database, setting)
    for (let n = 0; n < 20; n++) await note('file.list')
    deliver()
    const dead = async () => (await waits()).filter(({ deadAt }) => deadAt !== null).length
    await eventually('dead', async () => (await dead()) === 20)
    await note('file.check')
    t.equal(await looking.drop({ waitingToo: false, ids: [0] }, actor('operator')), 0)
    t.equal(await looking.drop({ waitingToo: false, destination: 'webhook' }, actor('o')), 0)
    t.equal((await waits()).length, 21, 'nothing of that was meant')
    t.equal(await looking.drop({ waitingToo: false, destination: 'sink' }, actor('operator')), 20)
    sink.answering = () => ok
    await none()
    t.match(eventsOf(sink), [
      { action: 'file.check' },
      { action: 'outbox.drop', subject_id: 'sink', bytes: 20, actor_id: 'operator' },
    ])
  },
  'who is gone gets dead letters at once; a sink that says so does not': async (t, database) => {
    const [webhook, sink] = [await receiverFor(t), await receiverFor(t)]
    webhook.answering = () => ({ status: 410 })
    sink.answering = () => ({ status: 410 })
    const { note, deliver, waits, said } = await outboxOn(t, database, { webhook, sink })
    for (let n = 0; n < 3; n++) await note('file.upload', { fileId: randomUUID() })
    deliver()
    const dead = async () => (await waits()).filter(({ deadAt }) => deadAt !== null)
    await eventually('dead', async () => (await dead()).length === 3)
    for (const { destination, lastReason } of await dead()) {
      t.match([destination, lastReason], ['webhook', 'status_410'])
    }
    await eventually('said', () => said.length === 2)
    t.same(said.filter((line) => line.includes('gone')).length, 1)
  },
  'a deliverer that ends in the middle is followed by one that begins there': async (
    t,
    database,
  ) => {
    const [webhook, sink] = [await receiverFor(t), await receiverFor(t)]
    webhook.answering = () => undefined
    sink.answering = () => undefined
    const { note, deliver, waits, none } = await outboxOn(t, database, { webhook, sink })
    const fileId = randomUUID()
    for (const version of [1, 2, 3]) await note('file.version_add', { fileId, version })
    const first = deliver()
    await eventually('asked', () => webhook.asked.length === 1 && sink.asked.length === 1)
    await first.stop()
    const left = await waits()
    t.equal(left.length, 6)
    for (const { attempts } of left) t.equal(attempts, 0, 'that was no failure')
    webhook.answering = () => ok
    sink.answering = () => ok
    deliver()
    await none()
    const versions = webhooksOf(webhook).map(({ data }) => data['version'])
    t.same(versions, [1, 2, 3])
    t.equal(webhook.asked[0]?.headers['webhook-id'], webhook.asked[1]?.headers['webhook-id'])
    const keys = sink.asked.map(({ headers }) => headers['idempotency-key'])
    t.equal(keys[0], keys[1], 'the same events, the same key')
  },
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    for (const [name, test] of Object.entries(tests)) {
      await t.test(name, (t) => test(t, database))
    }
  })
}
