import type { AuditEvent } from '../audit/audit-events.js'

/** Whom events are told: the receiver of webhooks, and the portal's own log. */
export const destinations = ['webhook', 'sink'] as const
export type Destination = (typeof destinations)[number]

/** Which events are put into the outbox, beside the log, and who is told that some were committed. */
export interface OutboxRules {
  destinationsOf(event: AuditEvent): readonly Destination[]
  /** Called after a commit that may have put something there. Never throws. */
  committed(): void
}

/** An event as the log has it, with the number and code its writer gave it. */
export interface StoredEvent extends AuditEvent {
  readonly writerId: string
  readonly writerNumber: number
  readonly settled: number
  readonly mac: Uint8Array
}

/** What waits to be delivered. Ids count up in the order of the commits that wait for one another. */
export interface WaitingMessage {
  readonly id: number
  /** What it is about: messages of one resource are delivered in order. */
  readonly resource: string
  readonly createdAt: Date
  readonly attempts: number
  /** Nothing where the log no longer has it. */
  readonly event: StoredEvent | undefined
}

/** A message as an operator sees it. */
export interface ListedMessage {
  readonly id: number
  readonly destination: Destination
  readonly resource: string
  readonly eventType: string
  readonly eventId: string
  readonly createdAt: Date
  readonly attempts: number
  readonly notBefore: Date | null
  readonly deadAt: Date | null
  readonly lastReason: string | null
}

export interface OutboxCount {
  readonly destination: Destination
  readonly waiting: number
  readonly dead: number
  /** When the oldest that waits was made. */
  readonly oldest: Date | null
}

/** Which messages a command is about. */
export interface MessageFilter {
  readonly destination?: Destination | undefined
  readonly ids?: readonly number[] | undefined
  /** Those that wait, too; else dead letters alone. */
  readonly waitingToo: boolean
}

export interface DueQuery {
  readonly now: Date
  readonly limit: number
  /** Resources that something is under way of. */
  readonly except: readonly string[]
}

export interface OutboxStore {
  /**
   * Oldest first: what may be tried now. A message waits for the earlier ones of its resource, where
   * such a one has failed and is not to be tried yet; dead letters hold up nothing.
   */
  due(destination: Destination, query: DueQuery): Promise<WaitingMessage[]>
  /** The oldest that waits, whether it may be tried or not. */
  oldest(destination: Destination): Promise<WaitingMessage | undefined>
  delivered(ids: readonly number[]): Promise<void>
  failed(id: number, notBefore: Date, reason: string): Promise<void>
  /** Makes it a dead letter. */
  died(id: number, now: Date, reason: string): Promise<void>
  /** Makes dead letters of all that were made before then. */
  allDied(destination: Destination, madeBefore: Date, now: Date, reason: string): Promise<void>
  /** What failed may be tried at once: the destination is back. */
  hasten(destination: Destination): Promise<void>
  count(): Promise<OutboxCount[]>
  list(filter: MessageFilter, limit: number): Promise<ListedMessage[]>
  /** To be tried as if for the first time, at its old place; how many of which destination. */
  replay(filter: MessageFilter): Promise<ReadonlyMap<Destination, number>>
  /** Removed undelivered; how many of which destination. */
  drop(filter: MessageFilter): Promise<ReadonlyMap<Destination, number>>
}

/** What became of an attempt. Reasons are codes. */
export type Receipt =
  | { readonly kind: 'delivered' }
  /** It answered, and wants none of this: as likely the message's fault as the receiver's. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It wants nothing ever again. */
  | { readonly kind: 'gone'; readonly reason: string }
  /** It is not there, or says it cannot. */
  | { readonly kind: 'away'; readonly reason: string; readonly retryAfterMs?: number | undefined }

/** A destination, as deliveries see it. */
export interface Receiver {
  /** Events in one request, at most `most`. Never rejects; nothing where `signal` aborted. */
  send(events: readonly StoredEvent[], signal: AbortSignal): Promise<Receipt | undefined>
  /** Events that one request may hold: 1 to many. */
  readonly most: number
  close(): Promise<void>
}
