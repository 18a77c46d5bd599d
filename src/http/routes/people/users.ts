import type { Static } from 'typebox'
import type { Account, AccountBook } from '../../../people/account-book.js'
import type { App } from '../../app-type.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'
import {
  account,
  accountPage,
  accountQuery,
  accountUpdate,
  newAccount,
  personParams,
} from '../../schemas/people-schemas.js'

const config = { secondFactor: 'people' } as const
const shown = (one: Account) => ({ ...one, roles: [...one.roles] })
const wishOf = (body: Static<typeof accountUpdate>) => ({
  ...{ email: body.email, fullName: body.full_name, password: body.password },
  ...{ isActive: body.is_active, isAdmin: body.is_admin, roles: body.roles },
  hasTotp: body.has_totp,
})

/** GET and POST users; GET, PUT and DELETE users/:id: for administrators */
export function userRoutes(app: App, { accounts }: { readonly accounts: AccountBook }): void {
  app.get(
    '/api/v1/users',
    {
      schema: {
        summary: 'The accounts, newest first (administrators)',
        querystring: accountQuery,
        response: { 200: accountPage },
      },
    },
    async ({ actor, query }) => {
      const { accounts: users, damaged, next } = await accounts.list(actor, pagingOf(query))
      return {
        ...{ users: users.map(shown), next_cursor: encodeCursor(next) },
        ...(damaged.length > 0 ? { damaged: [...damaged] } : {}),
      }
    },
  )
  app.post(
    '/api/v1/users',
    {
      config,
      schema: {
        summary: 'Make an account (administrators)',
        body: newAccount,
        response: { 201: account },
      },
    },
    async ({ actor, body }, reply) => {
      const made = await accounts.create(actor, { ...wishOf(body), email: body.email })
      return await reply.code(201).send(shown(made))
    },
  )
  const url = '/api/v1/users/:user_id'
  const schema = { params: personParams, response: { 200: account } }
  app.get(
    url,
    { schema: { ...schema, summary: 'One account (administrators)' } },
    async ({ actor, params }) => shown(await accounts.one(actor, params.user_id)),
  )
  app.put(
    url,
    {
      config,
      schema: { ...schema, summary: 'Change an account (administrators)', body: accountUpdate },
    },
    async ({ actor, params, body }) =>
      shown(await accounts.update(actor, params.user_id, wishOf(body))),
  )
  app.delete(
    url,
    {
      config,
      schema: {
        ...schema,
        summary: 'Deactivate an account: nobody gets in by it; what is on record stays',
      },
    },
    async ({ actor, params }) => shown(await accounts.deactivate(actor, params.user_id)),
  )
}
