import { type Static, Type } from 'typebox'
import { operatorActor } from '../erasure/operator.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { LookAfterOutbox } from '../outbox/look-after-outbox.js'
import type { Destination, ListedMessage, MessageFilter } from '../outbox/ports.js'
import { operation } from './operation.js'

/** A message as `strongroom outbox list` shows it: ids, numbers and codes alone. */
export interface MessageSummary {
  readonly id: number
  readonly destination: Destination
  readonly resource: string
  readonly type: string
  readonly event_id: string
  readonly created_at: string
  readonly attempts: number
  readonly not_before: string | null
  readonly dead_at: string | null
  readonly reason: string | null
}

export interface OutboxDependencies {
  readonly lookAfterOutbox: LookAfterOutbox
}

const closed = { additionalProperties: false }
const destination = Type.Union([Type.Literal('webhook'), Type.Literal('sink')])
const filter = {
  destination: Type.Optional(destination),
  ids: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 1_000 })),
  waiting: Type.Boolean(),
}
const listing = Type.Object(
  { ...filter, limit: Type.Integer({ minimum: 1, maximum: 10_000 }) },
  closed,
)
const change = Type.Object(
  { ...filter, all: Type.Boolean(), by: Type.String({ minLength: 1, maxLength: 128 }) },
  closed,
)

/** Looking at what was not delivered elsewhere, and deciding what becomes of it. */
export function outboxOperations({ lookAfterOutbox: outbox }: OutboxDependencies) {
  return {
    'outbox-list': operation(listing, async (input) => {
      const { counts, messages } = await outbox.list(filterOf(input), input.limit)
      return {
        counts: counts.map(({ oldest, ...count }) => ({
          ...count,
          oldest: oldest?.toISOString() ?? null,
        })),
        messages: messages.map(summarize),
      }
    }),
    'outbox-replay': operation(change, async (input) => ({
      replayed: await outbox.replay(certain(input), operatorActor(input.by)),
    })),
    'outbox-drop': operation(change, async (input) => ({
      dropped: await outbox.drop(certain(input), operatorActor(input.by)),
    })),
  }
}

type Filter = Omit<Static<typeof listing>, 'limit'>

function filterOf({ destination, ids, waiting }: Filter): MessageFilter {
  return { destination, ids, waitingToo: waiting }
}

/** Everything only where that was said. */
function certain(input: Static<typeof change>): MessageFilter {
  if (input.all || input.destination !== undefined || input.ids !== undefined) {
    return filterOf(input)
  }
  throw new StrongroomError('invalid_field', { detail: 'Ids, a destination, or all' })
}

function summarize(message: ListedMessage): MessageSummary {
  return {
    id: message.id,
    destination: message.destination,
    resource: message.resource,
    type: message.eventType,
    event_id: message.eventId,
    created_at: message.createdAt.toISOString(),
    attempts: message.attempts,
    not_before: message.notBefore?.toISOString() ?? null,
    dead_at: message.deadAt?.toISOString() ?? null,
    reason: message.lastReason,
  }
}
