import { auditActions } from '../audit/audit-events.js'
import { defaultWebhookEvents } from '../outbox/outbox-rules.js'
import { integer, type Kind, WrongValue } from './kinds.js'

const secretExpected =
  'whsec_ and 24 to 64 random bytes in base64 each, separated by commas (Standard Webhooks)'

const webhookSecret: Kind<Buffer> = (value) => {
  const [, text = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value) ?? []
  const key = Buffer.from(text, 'base64')
  if (key.length < 24 || key.length > 64 || key.toString('base64') !== text) {
    throw new WrongValue(secretExpected)
  }
  return key
}

/** Keys that sign webhooks: the new one and, while receivers are told of it, the old one. */
export const webhookSecrets: Kind<readonly Buffer[]> = (value) => {
  const secrets = value
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .map(webhookSecret)
  if (secrets.length === 0) throw new WrongValue(secretExpected)
  return secrets
}

const known: ReadonlySet<string> = new Set(
  [...auditActions, ...defaultWebhookEvents].flatMap((action) => [
    action,
    `${action.slice(0, action.indexOf('.'))}.*`,
  ]),
)

/** An audit action, or all of those with the same beginning. */
export const webhookEvent: Kind<string> = (value) => {
  if (!known.has(value)) {
    throw new WrongValue(
      'audit actions as docs/AUDIT-EVENTS.md names them, or record.* for all such',
    )
  }
  return value
}

const waitSeconds = integer(1, 86_400, 'seconds')

/** The first wait and the longest, in seconds: `5,3600`. */
export const retrySeconds: Kind<readonly [number, number]> = (value) => {
  const [first, longest, ...more] = value.split(',').map((each) => waitSeconds(each.trim()))
  if (first === undefined || longest === undefined || more.length > 0 || first > longest) {
    throw new WrongValue('two numbers of seconds, the first wait and the longest: 5,3600')
  }
  return [first, longest]
}
