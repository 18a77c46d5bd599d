import { createHmac, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  verifyWebhook,
  WebhookError,
  type WebhookReason,
  type WebhookRequest,
} from '../../../client/src/webhook.js'
import { webhookSecrets } from '../../../src/config/outbox.js'
import { signedHeaders } from '../../../src/integrations/webhook-receiver.js'

const secret = `whsec_${randomBytes(32).toString('base64')}`
const now = new Date('2026-03-01T12:00:00Z')
const body = JSON.stringify({
  type: 'file.upload',
  timestamp: '2026-03-01T11:59:59.000Z',
  data: { event_id: 'e-1', actor_id: 'ann', bytes: 17, reason: null },
})

/** As the specification has it, made by node:crypto. */
function signed(key: string, { id = 'e-1', at = now, text = body } = {}) {
  const time = String(Math.floor(at.getTime() / 1000))
  const hmac = createHmac('sha256', Buffer.from(key.slice(6), 'base64'))
  return {
    'webhook-id': id,
    'webhook-timestamp': time,
    'webhook-signature': `v1,${hmac.update(`${id}.${time}.${text}`).digest('base64')}`,
  }
}

const verify = (more: Partial<WebhookRequest> = {}) =>
  verifyWebhook({ secret, headers: signed(secret), body, now, ...more })

async function isRefused(t: Test, more: Partial<WebhookRequest>, reason: WebhookReason, what = '') {
  const error: unknown = await verify(more).catch((each: unknown) => each)
  t.ok(error instanceof WebhookError, `${what} is refused: ${String(error)}`)
  t.match(error, { reason })
}

void t.test('a genuine one', async (t) => {
  const event = await verify()
  t.match(event, { type: 'file.upload', webhookId: 'e-1', data: { bytes: 17, reason: null } })
  t.match(await verify({ body: Buffer.from(body) }), event, 'bytes as they came')
  t.match(await verify({ headers: new Headers(signed(secret)) }), event)
  const upper = Object.entries(signed(secret)).map(([name, value]) => [name.toUpperCase(), value])
  t.match(await verify({ headers: Object.fromEntries(upper) as Record<string, string> }), event)
})

void t.test('the example of the Standard Webhooks libraries', async (t) => {
  const example = {
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    headers: {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
    now: new Date(1_614_265_330_000),
  }
  // Genuine, though it is no event of the service's.
  await isRefused(t, { ...example, body: '{"test": 2432232314}' }, 'body')
  await isRefused(t, { ...example, body: '{"test": 2432232315}' }, 'signature')
})

void t.test('what the service itself signs', async (t) => {
  const other = `whsec_${randomBytes(24).toString('base64')}`
  const headers = signedHeaders(webhookSecrets(`${other}, ${secret}`), 'e-1', now, body)
  for (const each of [secret, other, [other, secret], [secret]]) {
    t.match(await verify({ headers, secret: each }), { type: 'file.upload' })
  }
})

void t.test('several secrets while one is changed', async (t) => {
  const old = `whsec_${randomBytes(32).toString('base64')}`
  t.match(await verify({ secret: [old, secret] }), { webhookId: 'e-1' })
  await isRefused(t, { secret: [old] }, 'signature')
  await isRefused(t, { secret: [] }, 'signature')
  for (const none of ['', 'whsec_', 'not base64!']) {
    await t.rejects(verify({ secret: none }), TypeError)
  }
})

void t.test('signatures beside ours', async (t) => {
  const headers = signed(secret)
  const own = headers['webhook-signature']
  const foreign = signed(`whsec_${randomBytes(32).toString('base64')}`)['webhook-signature']
  const beside = (text: string) => ({ headers: { ...headers, 'webhook-signature': text } })
  t.match(await verify(beside(`${foreign} v1a,xyz ${own}`)), { webhookId: 'e-1' })
  for (const text of [
    foreign,
    own.replace('v1,', 'v2,'),
    own.slice(3),
    own.slice(0, -4),
    `${own.slice(0, -1)}%`,
    'v1,',
    ' ',
    `${`${foreign} `.repeat(16)}${own}`,
  ]) {
    await isRefused(t, beside(text), 'signature', text.slice(0, 60))
  }
})

void t.test('what was changed on the way', async (t) => {
  const headers = signed(secret)
  await isRefused(t, { body: body.replace('ann', 'bob') }, 'signature')
  await isRefused(t, { body: `${body} ` }, 'signature')
  await isRefused(t, { headers: { ...headers, 'webhook-id': 'e-2' } }, 'signature')
  const later = String(Number(headers['webhook-timestamp']) + 1)
  await isRefused(t, { headers: { ...headers, 'webhook-timestamp': later } }, 'signature')
})

void t.test('its age', async (t) => {
  const after = (seconds: number) => ({ now: new Date(now.getTime() + seconds * 1000) })
  for (const seconds of [-300, 0, 299, 300]) t.ok(await verify(after(seconds)))
  for (const seconds of [-301, 301, 1e9]) await isRefused(t, after(seconds), 'age')
  t.ok(await verify({ ...after(900), toleranceSeconds: 1000 }))
  await isRefused(t, { ...after(2), toleranceSeconds: 1 }, 'age')
  await isRefused(t, { toleranceSeconds: Number.NaN }, 'age', 'no number')
})

void t.test('headers that are missing or malformed', async (t) => {
  const headers = signed(secret)
  for (const name of Object.keys(headers)) {
    await isRefused(t, { headers: { ...headers, [name]: undefined } }, 'headers', name)
    await isRefused(t, { headers: { ...headers, [name]: ['a', 'b'] } }, 'headers', name)
  }
  for (const time of ['', 'soon', '1e9', '-5', '17.5', '9'.repeat(13)]) {
    await isRefused(t, { headers: { ...headers, 'webhook-timestamp': time } }, 'headers', time)
  }
})

void t.test('a genuine body that is no event', async (t) => {
  for (const text of ['', 'null', '[]', '{"type":1}', '{"type":"x","timestamp":"y"}', '{']) {
    await isRefused(t, { body: text, headers: signed(secret, { text }) }, 'body', text)
  }
})
