import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import type { HeldToken, Logins } from '../../../people/login.js'
import type { App } from '../../app-type.js'
import { tokenOf } from '../../plugins/actor.js'
import { clearSession } from '../../plugins/cookies.js'
import type { IssueToken } from '../../plugins/issue-token.js'
import {
  account,
  message,
  passwordChange,
  tokenAnswer,
  totpBegun,
  totpCode,
} from '../../schemas/people-schemas.js'

interface Use {
  readonly logins: Logins
  readonly issue: IssueToken
  readonly cookieAuth: boolean
}

function heldBy(request: FastifyRequest): HeldToken {
  const token = tokenOf(request)
  if (token === undefined) throw new StrongroomError('unauthenticated')
  return token
}

/** GET auth/me; POST auth/renew, auth/logout, auth/change-password */
export function myAccountRoutes(app: App, { logins, issue, cookieAuth }: Use): void {
  app.get(
    '/api/v1/auth/me',
    { schema: { summary: 'Who you are here', response: { 200: account } } },
    async ({ actor }) => {
      const own = await logins.me(actor)
      if (own !== undefined) return { ...own, roles: [...own.roles] }
      const { userId: id, roles } = actor
      const unknown = { email: null, full_name: null, created_at: null, updated_at: null }
      const rest = { is_active: true, is_admin: roles.includes('admin'), has_totp: false }
      return { id, ...unknown, ...rest, roles: [...roles], last_login: null }
    },
  )
  app.post(
    '/api/v1/auth/renew',
    { schema: { summary: 'A fresh token, up to 12 hours', response: { 200: tokenAnswer } } },
    async (request, reply) =>
      issue(request, reply, await logins.renew(request.actor, heldBy(request))),
  )
  app.post(
    '/api/v1/auth/logout',
    {
      schema: {
        summary: 'End this token, on every node',
        querystring: Type.Object({
          everywhere: Type.Optional(Type.Boolean({ description: 'All of the account’s tokens.' })),
        }),
        response: { 200: message },
      },
    },
    async (request, reply) => {
      const { everywhere = false } = request.query
      const token = heldBy(request)
      const isCookie = cookieAuth && request.headers.authorization === undefined
      if (isCookie && token.identity.source !== 'local') await logins.forget(request.actor)
      else await logins.logout(request.actor, token, everywhere)
      if (cookieAuth) clearSession(reply)
      return { message: 'Logged out' }
    },
  )
  app.post(
    '/api/v1/auth/change-password',
    {
      schema: {
        summary: 'Change your password: all tokens of before end, and a new one is answered',
        body: passwordChange,
        response: { 200: tokenAnswer },
      },
    },
    async (request, reply) => {
      const { current_password: current, new_password: next } = request.body
      const token = heldBy(request)
      return issue(
        request,
        reply,
        await logins.changePassword(request.actor, token, { current, next }),
      )
    },
  )
}

/** POST and DELETE auth/totp, POST auth/totp/confirm */
export function totpRoutes(app: App, { logins }: Pick<Use, 'logins'>): void {
  app.post(
    '/api/v1/auth/totp',
    {
      schema: {
        summary: 'Begin a second factor: it counts once a code of it was confirmed',
        response: { 200: totpBegun },
      },
    },
    async ({ actor }) => {
      const { secret, url } = await logins.beginTotp(actor)
      return { secret, otpauth_url: url }
    },
  )
  app.post(
    '/api/v1/auth/totp/confirm',
    { schema: { summary: 'Confirm it with a code', body: totpCode, response: { 200: message } } },
    async ({ actor, body }) => {
      await logins.confirmTotp(actor, body.code)
      return { message: 'The second factor is needed from the next login on' }
    },
  )
  app.delete(
    '/api/v1/auth/totp',
    {
      schema: { summary: 'Take it away, with a code', body: totpCode, response: { 200: message } },
    },
    async ({ actor, body }) => {
      await logins.removeTotp(actor, body.code)
      return { message: 'There is no second factor any more' }
    },
  )
}
