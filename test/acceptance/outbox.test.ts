import t, { type Test } from 'tap'
import { ok, sinkEvents, startReceiver, verifiedWebhook } from '../helpers/event-receiver.js'
import { hasStatus } from './support/checks.js'
import { pdf } from './support/content.js'
import { eventually } from './support/eventually.js'
import { filePath, personOf } from './support/people.js'
import { startServer } from './support/server.js'

const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`
const old = `whsec_${Buffer.alloc(32, 4).toString('base64')}`
const [webhook, sink] = [await startReceiver(), await startReceiver()]
t.teardown(async () => {
  await Promise.all([webhook.goAway(), sink.goAway()])
})
const settings = {
  WEBHOOK_URL: webhook.url,
  WEBHOOK_SECRET: `${secret},${old}`,
  AUDIT_SINK_URL: sink.url,
  DATABASE_SERVICE_TOKEN: 'service-token-0123456789',
  OUTBOX_RETRY_SECONDS: '1,2',
}
const server = await startServer(settings)
t.teardown(() => server.close())

const ann = personOf(server, 'ann')
const hooksAbout = (fileId: string) =>
  webhook.taken
    .map((arrival) => verifiedWebhook(arrival, secret))
    .filter(({ data }) => data['file_id'] === fileId)
const eventsAbout = (fileId: string) =>
  sink.taken.flatMap(sinkEvents).filter(({ file_id }) => file_id === fileId)

interface Listing {
  readonly counts: readonly { destination: string; waiting: number; dead: number }[]
  readonly messages: readonly { id: number; reason: string; resource: string }[]
}

async function list(t: Test, ...args: string[]): Promise<Listing & { code: number | null }> {
  const { code, out, err } = await server.command('outbox', 'list', '--json', ...args)
  t.equal(err, '')
  return { code, ...(JSON.parse(out) as Listing) }
}

await t.test('what is done with a file arrives, signed, in ids alone', async (t) => {
  const fileId = await ann.file(pdf('one'), { filename: 'secret-name.pdf' })
  hasStatus(t, await ann.get(filePath(fileId)), 200)
  hasStatus(t, await ann.delete(filePath(fileId)), 200)
  const took = await eventually('both webhooks', () => hooksAbout(fileId).length === 2)
  t.ok(took < 5_000, `${took} ms`)
  await eventually('all events', () => eventsAbout(fileId).length === 3)
  t.same(
    hooksAbout(fileId).map(({ type }) => type),
    ['file.upload', 'file.delete'],
  )
  t.same(
    eventsAbout(fileId).map(({ action }) => action),
    ['file.upload', 'file.download', 'file.delete'],
  )
  for (const arrival of webhook.taken) t.ok(verifiedWebhook(arrival, old), 'by the old one too')
  t.throws(() => webhook.taken.map((each) => verifiedWebhook(each, settings.AUDIT_SINK_URL)))
  for (const { body } of [...webhook.taken, ...sink.taken]) t.notMatch(body, /secret-name/)
  for (const { body } of webhook.taken) t.notMatch(body, /127\.0\.0\.1|agent/)
  t.equal(sink.taken[0]?.headers.authorization, 'Bearer service-token-0123456789')
})

await t.test('refusals reach the log of the portal alone', async (t) => {
  const before = webhook.taken.length
  hasStatus(t, await server.call('/api/files/user'), 401)
  await eventually('it', () =>
    sink.taken.flatMap(sinkEvents).some(({ action }) => action === 'auth.refused'),
  )
  t.equal(webhook.taken.length, before)
})

await t.test('a receiver that is away: nothing is lost over a kill', async (t) => {
  await webhook.goAway()
  await sink.goAway()
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.push(await ann.file(pdf(`away ${n}`)))
  for (const id of ids) hasStatus(t, await ann.delete(filePath(id)), 200)
  t.match((await list(t, '--waiting')).counts, [
    { destination: 'sink' },
    { destination: 'webhook' },
  ])
  await eventually('it is said', () => server.logs().includes('events is away'))
  await server.kill()
  await server.start()
  await webhook.comeBack()
  await sink.comeBack()
  for (const id of ids) {
    // On PostgreSQL the lease of the process that was killed has to end first.
    await eventually('both', () => hooksAbout(id).length >= 2, 90_000)
    await eventually('both', () => eventsAbout(id).length >= 2, 10_000)
    const types = hooksAbout(id).map(({ type }) => type)
    t.same([...new Set(types)], ['file.upload', 'file.delete'], 'in order')
  }
  await eventually('nothing waits', async () => (await list(t)).counts.length === 0)
})

await t.test('dead letters are listed, replayed and dropped', async (t) => {
  webhook.answering = () => ({ status: 410 })
  const [first, second] = [await ann.file(pdf('dead 1')), await ann.file(pdf('dead 2'))]
  await eventually('dead', async () => (await list(t)).messages.length === 2)
  const listing = await list(t, '--destination', 'webhook')
  t.equal(listing.code, 1)
  t.match(listing.counts, [{ destination: 'webhook', waiting: 0, dead: 2 }])
  t.match(listing.messages, [
    { reason: 'status_410', resource: first, destination: 'webhook', type: 'file.upload' },
    { reason: 'status_410', resource: second },
  ])
  t.match(await server.command('outbox', 'list'), {
    code: 1,
    out: /^webhook: 0 waiting; 2 dead letters\n\d+ {2}webhook {2}file\.upload of .*dead since/,
  })
  webhook.answering = () => ok
  const id = String(listing.messages[0]?.id)
  const replay = await server.command('outbox', 'replay', '--id', id, '--by', 'ops', '--json')
  t.match(replay, { code: 0, out: /^\{"replayed":1\}/ })
  await eventually('it', () => hooksAbout(first).length === 1)
  t.match(await server.command('outbox', 'drop', '--all', '--by', 'ops'), { code: 0, out: /^1 / })
  t.match(await list(t, '--waiting'), { code: 0, messages: [] })
  t.same(hooksAbout(second), [])
  const audited = () =>
    sink.taken.flatMap(sinkEvents).filter(({ action }) => String(action).startsWith('outbox.'))
  await eventually('both are on record', () => audited().length === 2)
  const facts = { actor_id: 'ops', subject_id: 'webhook', bytes: 1 }
  t.match(audited(), [
    { action: 'outbox.replay', ...facts },
    { action: 'outbox.drop', ...facts },
  ])
})

await t.test('called wrongly', async (t) => {
  t.match(await server.command('outbox', 'drop'), { code: 2, err: /--id, --destination or --all/ })
  t.match(await server.command('outbox', 'drop', '--id', 'x'), { code: 2, err: /a number/ })
  const wrong = await server.command('outbox', 'replay', '--destination', 'x')
  t.match(wrong, { code: 2, err: /webhook or sink/ })
})

await t.test('without them nothing is kept for anyone', async (t) => {
  await server.stop()
  const off = { WEBHOOK_URL: '', WEBHOOK_SECRET: '', AUDIT_SINK_URL: '' }
  await server.start(off)
  await ann.file(pdf('nobody is told'))
  t.match(await list(t, '--waiting'), { code: 0, counts: [], messages: [] })
  const jobs = async () => (await server.command('jobs')).out
  await eventually(
    'its job is gone',
    async () => !(await jobs()).includes('deliver-outbox'),
    90_000,
  )
  t.notMatch(server.logs(), /whsec_|service-token/)
})
