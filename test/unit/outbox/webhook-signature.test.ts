import { createHmac } from 'node:crypto'
import t from 'tap'
import { webhookSecrets } from '../../../src/config/outbox.js'
import { signedHeaders } from '../../../src/integrations/webhook-receiver.js'

// The example of the Standard Webhooks libraries: their tests hold the same secret, id, time and body.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const at = new Date(1_614_265_330_000)
const body = '{"test": 2432232314}'

void t.test('signs as the published example', (t) => {
  t.same(signedHeaders(webhookSecrets(secret), id, at, body), {
    'webhook-id': id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
  t.end()
})

void t.test('a signature for each secret, checked as a receiver would', (t) => {
  const other = `whsec_${Buffer.alloc(64, 7).toString('base64')}`
  const headers = signedHeaders(webhookSecrets(`${other}, ${secret}`), id, at, body)
  const signatures = (headers['webhook-signature'] ?? '').split(' ')
  t.equal(signatures.length, 2)
  t.equal(signatures[1], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  const hmac = createHmac('sha256', Buffer.from(other.slice(6), 'base64'))
  t.equal(signatures[0], `v1,${hmac.update(`${id}.1614265330.${body}`).digest('base64')}`)
  t.end()
})
