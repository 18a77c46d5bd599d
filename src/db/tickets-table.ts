import type { TicketLogin, TicketRow, TicketStore } from '../tickets/ports.js'
import type { Query, Sql } from './database.js'
import { run, touches } from './run.js'

const insert: Query = {
  name: 'tickets-insert',
  text: `insert into tickets (ticket_id, user_id, service, roles, action, file_id, kind, created_at,
      opens_until, serves_until, login_subject, login_token_id, login_epoch, part_number)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
}
const find: Query = {
  name: 'tickets-find',
  text: `select ticket_id as "ticketId", user_id as "userId", service, roles, action,
      file_id as "fileId", kind, part_number as "partNumber", created_at as "createdAt", opens_until as "opensUntil",
      serves_until as "servesUntil", login_subject as subject, login_token_id as "tokenId",
      login_epoch as epoch, opened_at as "openedAt", client_hash as client, cookie_hash as cookie,
      ended_at as "endedAt"
    from tickets where ticket_id = $1`,
}
const open: Query = {
  name: 'tickets-open',
  text: `update tickets set opened_at = $2, client_hash = $3, cookie_hash = $4,
      serves_until = least(serves_until, $5)
    where ticket_id = $1 and opened_at is null and ended_at is null returning ticket_id`,
}
const end: Query = {
  name: 'tickets-end',
  text: `update tickets set ended_at = $3
    where ticket_id = $1 and user_id = $2 and ended_at is null and serves_until > $3
    returning ticket_id`,
}
const tidy: Query = { name: 'tickets-tidy', text: 'delete from tickets where serves_until < $1' }

type Columns = Omit<TicketRow, 'login'> & {
  readonly [name in keyof TicketLogin]: TicketLogin[name] | null
}

function toRow({ subject, tokenId, epoch, ...row }: Columns): TicketRow {
  const isLogin = subject !== null && tokenId !== null && epoch !== null
  return { ...row, login: isLogin ? { subject, tokenId, epoch } : null }
}

export function ticketsTable(sql: Sql): TicketStore {
  return {
    insert: async (ticket) => {
      const { ticketId, userId, service, roles, action, fileId, kind, login } = ticket
      await run(sql, insert, [
        ...[ticketId, userId, service, roles, action, fileId, kind, ticket.createdAt],
        ...[ticket.opensUntil, ticket.servesUntil],
        ...[
          login?.subject ?? null,
          login?.tokenId ?? null,
          login?.epoch ?? null,
          ticket.partNumber,
        ],
      ])
    },
    find: async (ticketId) => {
      const [row] = await sql.rows<Columns>(find, [ticketId])
      return row === undefined ? undefined : toRow(row)
    },
    open: (ticketId, { at, client, cookie, servesUntil }) =>
      touches(sql, open, [ticketId, at, client, cookie, servesUntil]),
    end: (ticketId, userId, at) => touches(sql, end, [ticketId, userId, at]),
    tidy: (before) => run(sql, tidy, [before]),
  }
}
