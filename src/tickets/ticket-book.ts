import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import type { AuditStore } from '../audit/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { isFileId } from '../files/file-id.js'
import type { FileKind } from '../files/ports.js'
import type { IndexHash } from '../keys/index-hash.js'
import { clientNetworkOf } from '../people/network.js'
import type { Transactions } from '../ports/transactions.js'
import type {
  AnyTicketAction,
  ReadingTicket,
  TicketAction,
  TicketKind,
  TicketLogin,
  TicketRow,
  TicketStore,
} from './ports.js'
import { ticketIdIn, ticketText } from './ticket-text.js'

/** What the token says by which a ticket is asked for: the ticket ends with it. */
export interface AskedWith {
  /** Absent: it never ends. */
  readonly endsAt: Date | undefined
  /** Of an account of ours, whose logins can end early. */
  readonly login: TicketLogin | undefined
}

export interface TicketWish {
  readonly fileId: string
  readonly action: TicketAction
  /** Wished for; absent: as the settings say. */
  readonly seconds: number | undefined
  /** Whether a type can be shown without being handed out as a file. */
  readonly isShown: (contentType: string) => boolean
}

/** What the wish rests on. */
export interface TicketRights {
  readonly kind: FileKind
  readonly patientId: string | undefined
  readonly grantId?: string | undefined
  readonly emergencyId?: string | undefined
}

export interface IssuedTicket {
  readonly ticketId: string
  /** What the URL ends in: to be told to nobody but the one who asked. */
  readonly text: string
  readonly opensUntil: Date
}

/** Who comes with a ticket: known by the connection alone. */
export interface TicketClient {
  readonly caller: Actor
  /** The cookie they were given, where it comes back. */
  readonly cookie: string | undefined
  /** False: only headers are asked for, so that the ticket is bound to nobody by it. */
  readonly opens: boolean
}

/** A ticket that serves this client now, or does not. */
export type UsedTicket =
  | {
      readonly serves: true
      readonly ticket: ReadingTicket
      /** To be given to the client, which it is now bound to; absent: it was before. */
      readonly cookie: string | undefined
    }
  | { readonly serves: false; readonly fileId: string | undefined }

const serving = (ticket: ReadingTicket, cookie?: string) =>
  ({ serves: true, ticket, cookie }) as const

/** A place for one upload. */
export interface UploadWish {
  readonly fileId: string
  readonly kind: FileKind
  /** Of what comes in parts the one that is to come; absent: the whole. */
  readonly partNumber?: number | undefined
  /** Wished for; absent: as the settings say. */
  readonly seconds: number | undefined
}

/** A URL to one object of a bucket. */
export interface ObjectWish {
  readonly fileId: string
  readonly action: 'upload' | 'download'
  /** Wished for; absent: as the settings say. */
  readonly seconds: number | undefined
}

export interface TicketSettings {
  readonly ticketMaxSeconds: number
  readonly uploadTicketSeconds: number
  readonly viewTicketSeconds: number
  readonly viewSessionSeconds: number
}

interface Dependencies {
  readonly db: Transactions<{ readonly tickets: TicketStore; readonly audit: AuditStore }>
  readonly hash: Pick<IndexHash, 'of'>
  readonly settings: TicketSettings
  /** What the grants and relations of today say; a refusal is on record. */
  readonly permit: (actor: Actor, wish: Omit<TicketWish, 'seconds'>) => Promise<TicketRights>
  /** Today's roles of an account of ours, while that login goes on. */
  readonly rolesOf: (login: TicketLogin) => Promise<readonly string[] | undefined>
}

export type TicketBook = ReturnType<typeof ticketBook>

/**
 * Tickets: a URL that shows or hands out one file for one person, for a while, to whoever opens it first.
 * It says nothing of what the person may do: that is asked at every request.
 */
export function ticketBook({ db, hash, settings, permit, rolesOf }: Dependencies) {
  const clientHash = ({ ip, userAgent }: Actor) =>
    hash.of('ticket-client', clientNetworkOf(ip), userAgent)
  const cookieHash = (cookie: string) => hash.of('ticket-cookie', cookie)

  /** Whether it goes on for whoever opened it, with the roles of today. */
  async function going<Row extends TicketRow>(ticket: Row): Promise<Row | undefined> {
    if (ticket.endedAt !== null || ticket.servesUntil <= new Date()) return undefined
    const { login } = ticket
    if (login === null) return ticket
    const roles = await rolesOf(login)
    if (roles === undefined) return undefined
    return ticket.service === null ? { ...ticket, roles } : ticket
  }

  function isTheirs({ client, cookie }: TicketRow, who: TicketClient): boolean {
    if (client === null || !timingSafeEqual(client, clientHash(who.caller))) return false
    // Where it comes back it is the right one; some clients keep none.
    if (who.cookie === undefined || cookie === null) return true
    return timingSafeEqual(cookie, cookieHash(who.cookie))
  }

  async function opened(ticket: ReadingTicket, who: TicketClient) {
    const at = new Date()
    if (ticket.opensUntil <= at) return undefined
    if (!who.opens) return serving(ticket)
    const cookie = randomBytes(24).toString('base64url')
    const isFirst = await db.stores.tickets.open(ticket.ticketId, {
      ...{ at, client: clientHash(who.caller), cookie: cookieHash(cookie) },
      servesUntil:
        ticket.action === 'view' ? later(at, settings.viewSessionSeconds) : ticket.servesUntil,
    })
    if (isFirst) return serving(ticket, cookie)
    // Another request was first: of the same client, where it asks for several ranges at once.
    const again = await db.stores.tickets.find(ticket.ticketId)
    if (again === undefined || again.endedAt !== null) return undefined
    return isTheirs(again, { ...who, cookie: undefined }) ? serving(ticket) : undefined
  }

  async function served(row: TicketRow, who: TicketClient) {
    const ticket = isForReading(row) ? await going(row) : undefined
    if (ticket === undefined) return undefined
    if (ticket.openedAt === null) return await opened(ticket, who)
    return isTheirs(ticket, who) ? serving(ticket) : undefined
  }

  /** The row of a new one; `goesOn`: how long it serves whoever opened it. */
  function draw(
    actor: Actor,
    wish: {
      readonly fileId: string
      readonly kind: TicketKind
      readonly action: AnyTicketAction
      readonly partNumber?: number | undefined
    },
    { seconds, goesOn }: { readonly seconds: number; readonly goesOn: number },
    token: AskedWith,
  ) {
    const createdAt = new Date()
    const until = (after: number) => {
      const at = later(createdAt, after)
      return token.endsAt !== undefined && token.endsAt < at ? token.endsAt : at
    }
    const opens = Math.min(seconds, settings.ticketMaxSeconds)
    const opensUntil = until(opens)
    const row: TicketRow = {
      ...{ ticketId: randomUUID(), userId: actor.userId, service: actor.service ?? null },
      ...{ roles: actor.roles, action: wish.action, fileId: wish.fileId, kind: wish.kind },
      partNumber: wish.partNumber ?? null,
      ...{ createdAt, opensUntil, servesUntil: goesOn > 0 ? until(opens + goesOn) : opensUntil },
      login: token.login ?? null,
      ...{ openedAt: null, client: null, cookie: null, endedAt: null },
    }
    const { ticketId } = row
    return { row, issued: { ticketId, text: ticketText(hash, ticketId), opensUntil } }
  }

  return {
    /**
     * @throws StrongroomError what refuses the action itself; `audit_unavailable`
     */
    async issue(actor: Actor, wish: TicketWish, token: AskedWith): Promise<IssuedTicket> {
      const { kind, ...rests } = await permit(actor, wish)
      const { action, fileId } = wish
      const seconds = wish.seconds ?? settings.viewTicketSeconds
      const goesOn = action === 'view' ? settings.viewSessionSeconds : 0
      const { row, issued } = draw(actor, { action, fileId, kind }, { seconds, goesOn }, token)
      await db.transaction(async (stores) => {
        await stores.tickets.insert(row)
        await stores.audit.append(
          auditEvent(actor, {
            ...{ action: 'ticket.issue', outcome: 'success', fileId, ...rests },
            subjectId: row.ticketId,
          }),
        )
      })
      return issued
    },

    /** A ticket by which the bytes of one file are taken; to be inserted with what it is for. */
    forUpload(
      actor: Actor,
      { seconds = settings.uploadTicketSeconds, ...wish }: UploadWish,
      token: AskedWith,
    ): { readonly row: TicketRow; readonly issued: IssuedTicket } {
      return draw(actor, { action: 'upload', ...wish }, { seconds, goesOn: 0 }, token)
    },

    /** A ticket for an object of a bucket; to be inserted with what it is for. */
    forObject(
      actor: Actor,
      { fileId, action, seconds }: ObjectWish,
      token: AskedWith,
    ): { readonly row: TicketRow; readonly issued: IssuedTicket } {
      const usual = action === 'upload' ? settings.uploadTicketSeconds : settings.viewTicketSeconds
      const until = { seconds: seconds ?? usual, goesOn: 0 }
      return draw(actor, { action, fileId, kind: 'object' }, until, token)
    },

    /** The ticket, where it takes bytes now. It is spent when they are committed, not before. */
    async useForUpload(ticketId: string): Promise<TicketRow | undefined> {
      const found = await db.stores.tickets.find(ticketId)
      return found?.action === 'upload' ? await going(found) : undefined
    },

    /** The id, where the text was signed here. */
    idIn: (text: string) => ticketIdIn(hash, text),

    /** The ticket, where it serves this client now; the first one to open it is the one it is bound to. */
    async use(ticketId: string, client: TicketClient): Promise<UsedTicket> {
      const found = await db.stores.tickets.find(ticketId)
      const used = found && (await served(found, client))
      return used ?? { serves: false, fileId: found?.fileId }
    },

    /** Asked again while a reading by it is under way. */
    async stillServes(ticketId: string): Promise<boolean> {
      const found = await db.stores.tickets.find(ticketId)
      return found !== undefined && (await going(found)) !== undefined
    },

    /**
     * Ends one's own; answers under way by it are broken off.
     * @throws StrongroomError `not_found`
     */
    async end(actor: Actor, ticketId: string): Promise<void> {
      if (!isFileId(ticketId)) throw new StrongroomError('not_found')
      await db.transaction(async (stores) => {
        const found = await stores.tickets.find(ticketId)
        if (!(await stores.tickets.end(ticketId, actor.userId, new Date()))) {
          throw new StrongroomError('not_found')
        }
        await stores.audit.append(
          auditEvent(actor, {
            ...{ action: 'ticket.end', outcome: 'success', subjectId: ticketId },
            fileId: found?.fileId,
          }),
        )
      })
    },
  }
}

const later = (from: Date, seconds: number) => new Date(from.getTime() + seconds * 1_000)

const isForReading = (row: TicketRow): row is ReadingTicket => row.action !== 'upload'
