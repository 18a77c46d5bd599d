import type { FileKind } from '../files/ports.js'

export const ticketActions = ['view', 'download'] as const
export type TicketAction = (typeof ticketActions)[number]

/** By a ticket of the last kind bytes come in. */
export type AnyTicketAction = TicketAction | 'upload'

/** A login with an account of ours, which may end before its token does. */
export interface TicketLogin {
  readonly subject: string
  readonly tokenId: string
  readonly epoch: number
}

/** Of what it is: an object in a bucket is a document that permissions open, and nothing else. */
export type TicketKind = FileKind | 'object'

export interface TicketRow {
  readonly ticketId: string
  readonly userId: string
  /** The service that asked for it on the person's behalf. */
  readonly service: string | null
  /** As the token gave them. */
  readonly roles: readonly string[]
  readonly action: AnyTicketAction
  /** The file it is for; of an upload the one its bytes become. */
  readonly fileId: string
  readonly kind: TicketKind
  /** Of what comes in parts the one it takes; null: the whole. */
  readonly partNumber: number | null
  readonly createdAt: Date
  /** Until when it can be opened for the first time. */
  readonly opensUntil: Date
  /** Until when it serves whoever opened it, at most. */
  readonly servesUntil: Date
  readonly login: TicketLogin | null
  readonly openedAt: Date | null
  /** Keyed hash of who opened it. */
  readonly client: Buffer | null
  /** Keyed hash of the cookie they were given. */
  readonly cookie: Buffer | null
  readonly endedAt: Date | null
}

/** One that shows or hands out. */
export interface ReadingTicket extends TicketRow {
  readonly action: TicketAction
}

export interface TicketOpening {
  readonly at: Date
  readonly client: Buffer
  readonly cookie: Buffer
  /** No longer than this; what the ticket said may be sooner. */
  readonly servesUntil: Date
}

export interface TicketStore {
  insert(ticket: TicketRow): Promise<void>
  find(ticketId: string): Promise<TicketRow | undefined>
  /** Binds it to its first client. False: another request was first, or it has ended. */
  open(ticketId: string, opening: TicketOpening): Promise<boolean>
  /** False: there is none of this person's that goes on. */
  end(ticketId: string, userId: string, at: Date): Promise<boolean>
  /** Removes those that serve nobody any more. */
  tidy(before: Date): Promise<void>
}
