import type { AccountRow, AccountStore, StoredNote } from '../people/account-ports.js'
import type { Query, Sql } from './database.js'
import { run, touches } from './run.js'
import { noteColumns, sealedNotesTable, toNote } from './sealed-notes-table.js'

const SELECT = `select a.user_id as "userId", a.token_epoch as "tokenEpoch",
    a.created_at as "createdAt", a.updated_at as "updatedAt", a.last_login_at as "lastLoginAt",
    ${noteColumns}
  from accounts a join sealed_notes n on n.note_id = a.note_id`

const insert: Query = {
  name: 'accounts-insert',
  text: `insert into accounts (user_id, email_hash, note_id, created_at, updated_at)
    values ($1, $2, $3, $4, $4) on conflict do nothing returning user_id`,
}
const find: Query = { name: 'accounts-find', text: `${SELECT} where a.user_id = $1` }
const findByEmail: Query = { name: 'accounts-by-email', text: `${SELECT} where a.email_hash = $1` }
const findForToken: Query = {
  name: 'accounts-for-token',
  text: `${SELECT} where a.user_id = $1
    and not exists (select from ended_tokens e where e.token_id = $2::uuid)`,
}
const list: Query = {
  name: 'accounts-list',
  text: `${SELECT}
    where $1::timestamptz is null or (a.created_at, a.account_id) < ($1::timestamptz, $2::uuid)
    order by a.created_at desc, a.account_id desc limit $3`,
}
const isEmailTaken: Query = {
  name: 'accounts-is-email-taken',
  text: 'select 1 from accounts where email_hash = $1 and user_id <> $2',
}
const change: Query = {
  name: 'accounts-change',
  text: `update accounts set note_id = $3, email_hash = $4, updated_at = $5,
      token_epoch = token_epoch + case when $6 then 1 else 0 end
    where user_id = $1 and note_id = $2 returning user_id`,
}
const noteLogin: Query = {
  name: 'accounts-note-login',
  text: 'update accounts set last_login_at = $2 where user_id = $1',
}
const endTokens: Query = {
  name: 'accounts-end-tokens',
  text: 'update accounts set token_epoch = token_epoch + 1 where user_id = $1',
}
const endToken: Query = {
  name: 'accounts-end-token',
  text: `insert into ended_tokens (token_id, expires_at) values ($1, $2)
    on conflict (token_id) do nothing`,
}
const useTotpStep: Query = {
  name: 'accounts-use-totp-step',
  text: `update accounts set totp_step = $2
    where user_id = $1 and (totp_step is null or totp_step < $2) returning user_id`,
}

type Columns = Omit<AccountRow, 'note'> & StoredNote

const toRow = ({ userId, tokenEpoch, createdAt, updatedAt, lastLoginAt, ...note }: Columns) => ({
  ...{ userId, tokenEpoch, createdAt, updatedAt, lastLoginAt },
  note: toNote(note),
})

export function accountsTable(sql: Sql): AccountStore {
  const notes = sealedNotesTable(sql)
  const one = async (query: Query, values: readonly (string | Buffer)[]) => {
    const [found] = await sql.rows<Columns>(query, values)
    return found === undefined ? undefined : toRow(found)
  }
  return {
    insert: async ({ userId, emailHash, note, createdAt }) => {
      if (await touches(sql, isEmailTaken, [emailHash, userId])) return false
      await notes.insert('account', userId, note)
      return await touches(sql, insert, [userId, emailHash, note.noteId, createdAt])
    },
    find: (userId) => one(find, [userId]),
    findByEmail: (emailHash) => one(findByEmail, [emailHash]),
    findForToken: (userId, tokenId) => one(findForToken, [userId, tokenId]),
    list: async ({ limit, after }) => {
      const rows = await sql.rows<Columns>(list, [after?.at ?? null, after?.id ?? null, limit])
      return rows.map(toRow)
    },
    change: async ({ userId, was, note, emailHash, endsTokens: ends, at }) => {
      if (await touches(sql, isEmailTaken, [emailHash, userId])) return 'email_taken'
      await notes.insert('account', userId, note)
      const values = [userId, was, note.noteId, emailHash, at, ends]
      if (!(await touches(sql, change, values))) return 'changed'
      await notes.remove(was)
      return 'done'
    },
    noteLogin: async (userId, at) => {
      await run(sql, noteLogin, [userId, at])
    },
    endTokens: async (userId) => {
      await run(sql, endTokens, [userId])
    },
    endToken: async (tokenId, expiresAt) => {
      await run(sql, endToken, [tokenId, expiresAt])
    },
    useTotpStep: (userId, step) => touches(sql, useTotpStep, [userId, step]),
  }
}
