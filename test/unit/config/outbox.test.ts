import t, { type Test } from 'tap'
import { auditActions } from '../../../src/audit/audit-events.js'
import { type Environment, readConfig } from '../../../src/config.js'

const secretOf = (bytes: number, fill = 1) =>
  `whsec_${Buffer.alloc(bytes, fill).toString('base64')}`
const webhook = { WEBHOOK_URL: 'https://portal.example/hooks', WEBHOOK_SECRET: secretOf(24) }
const production = {
  NODE_ENV: 'production',
  ALLOW_EMBEDDED: 'true',
  MASTER_KEYS: `${Buffer.alloc(32, 5).toString('base64url')}=`,
  JWT_SECRET_KEY: 'q8W7e6R5t4Y3u2I1o0PaSdFgHjKlZxCv',
}

function wrong(t: Test, env: Environment, expected: RegExp): void {
  try {
    readConfig(env)
    t.fail(`${expected.source}: nothing was wrong`)
  } catch (error) {
    t.match(error, { problems: [expected] })
  }
}

void t.test('off by default', (t) => {
  const { outbox, notices } = readConfig({})
  t.same([outbox.webhook, outbox.sink], [undefined, undefined])
  t.same(outbox.retry, { firstMs: 5_000, maxMs: 3_600_000 })
  t.equal(outbox.giveUpMs, 72 * 3_600_000)
  t.same(notices, [])
  t.end()
})

void t.test('webhooks', (t) => {
  const { outbox } = readConfig({ ...webhook, WEBHOOK_EVENTS: 'file.*, person.shred' })
  t.equal(outbox.webhook?.url, webhook.WEBHOOK_URL)
  t.same(outbox.webhook?.secrets, [Buffer.alloc(24, 1)])
  t.same(outbox.webhookEvents, ['file.*', 'person.shred'])
  const two = readConfig({ ...webhook, WEBHOOK_SECRET: `${secretOf(64, 2)},${secretOf(32)}` })
  t.same(
    two.outbox.webhook?.secrets.map(({ length }) => length),
    [64, 32],
  )
  wrong(t, { WEBHOOK_URL: webhook.WEBHOOK_URL }, /^WEBHOOK_SECRET: expected what webhooks/)
  for (const bad of [secretOf(23), secretOf(65), 'x'.repeat(40), 'whsec_???', ',']) {
    wrong(t, { ...webhook, WEBHOOK_SECRET: bad }, /^WEBHOOK_SECRET: expected whsec_/)
  }
  for (const bad of ['fiel.upload', 'file', '*', 'file.nothing']) {
    wrong(t, { ...webhook, WEBHOOK_EVENTS: bad }, /^WEBHOOK_EVENTS: expected audit actions/)
  }
  t.ok(readConfig({ ...webhook, WEBHOOK_EVENTS: auditActions.join(',') }))
  t.match(readConfig({ WEBHOOK_EVENTS: 'file.*' }).notices, [/^WEBHOOK_URL is absent/])
  t.end()
})

void t.test('the sink', (t) => {
  const AUDIT_SINK_URL = 'http://localhost:9000/events'
  const { outbox } = readConfig({ AUDIT_SINK_URL, DATABASE_SERVICE_TOKEN: 'token' })
  t.same(outbox.sink, { url: AUDIT_SINK_URL, token: 'token' })
  t.match(readConfig({ AUDIT_SINK_URL }).notices, [/^DATABASE_SERVICE_TOKEN is absent: AUDIT_SINK/])
  t.end()
})

void t.test('how often and how long', (t) => {
  const { outbox } = readConfig({ OUTBOX_RETRY_SECONDS: '1, 2', OUTBOX_GIVE_UP_HOURS: '1' })
  t.same(outbox.retry, { firstMs: 1_000, maxMs: 2_000 })
  t.equal(outbox.giveUpMs, 3_600_000)
  for (const bad of ['5', '5,4', '0,1', '1,2,3', 'a,b']) {
    wrong(t, { OUTBOX_RETRY_SECONDS: bad }, /^OUTBOX_RETRY_SECONDS: expected/)
  }
  t.end()
})

void t.test('in production nothing leaves in plain text', (t) => {
  t.ok(readConfig({ ...production, ...webhook, AUDIT_SINK_URL: 'http://127.0.0.1:9000' }))
  for (const name of ['WEBHOOK_URL', 'AUDIT_SINK_URL']) {
    const env = { ...production, ...webhook, [name]: 'http://portal.example' }
    wrong(t, env, new RegExp(`^${name}: expected https`))
  }
  t.end()
})
