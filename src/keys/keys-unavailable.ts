import { StrongroomError } from '../errors/strongroom-error.js'

/** Why whoever holds the master keys could not use them. Closed: a reason may be added. */
export const keyFaults = {
  unreachable: 'it cannot be reached',
  timeout: 'it did not answer in time',
  throttled: 'it was asked too often',
  failing: 'it answers with errors of its own',
  garbage: 'what it answers is not of its protocol',
  no_credentials: 'there are no credentials to ask it with, or they have expired',
  denied: 'the credentials may not use this key',
  disabled: 'this key, or this version of it, is disabled',
  missing: 'this key, or this version of it, does not exist',
  unfit: 'this key is of a kind that cannot wrap, or does not bind what it wraps to its context',
  refused: 'it refuses the request',
} as const

export type KeyFault = keyof typeof keyFaults

/** Faults that pass by themselves: asking again is worth it. All others need an operator. */
const passing: ReadonlySet<KeyFault> = new Set<KeyFault>([
  'unreachable',
  'timeout',
  'throttled',
  'failing',
  'garbage',
  'no_credentials',
])

export interface KeyFaultFacts {
  /** Who holds the key: `aws-kms` or `vault`. */
  readonly holder: string
  readonly masterKeyId: string
  /** The holder's own word for it: an exception's name, a status. */
  readonly said?: string | number | undefined
  readonly cause?: unknown
}

const RETRY_AFTER_SECONDS = 5

/**
 * The master keys cannot be used now (`keys_unavailable`). `away` tells an outage, which keys unwrapped
 * before may bridge, from a refusal, which they may not. `message` and `context` are for operators.
 */
export class KeysUnavailableError extends StrongroomError {
  readonly away: boolean

  constructor(
    readonly fault: KeyFault,
    readonly facts: KeyFaultFacts,
  ) {
    const { holder, masterKeyId, said, cause } = facts
    super('keys_unavailable', {
      context: { holder, master_key: masterKeyId, fault, said },
      retryAfter: RETRY_AFTER_SECONDS,
      cause,
    })
    this.away = passing.has(fault)
    const own = said === undefined ? '' : ` (${said})`
    this.message = `${holder} holds master key ${masterKeyId} and cannot use it: ${keyFaults[fault]}${own}`
  }
}

/** Whether `error` is an outage: whoever holds the keys may be back soon, and has refused nothing. */
export function isAway(error: unknown): error is KeysUnavailableError {
  return error instanceof KeysUnavailableError && error.away
}
