import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isStrongroomError } from '../../../errors/strongroom-error.js'
import type { Credentials, Logins } from '../../../people/login.js'
import type { App } from '../../app-type.js'
import { callerOf } from '../../plugins/actor.js'
import type { IssueToken } from '../../plugins/issue-token.js'
import { credentials, tokenAnswer, tokenForm } from '../../schemas/people-schemas.js'

type Token = ReturnType<IssueToken>

interface Use {
  readonly logins: Logins
  readonly issue: IssueToken
}

/**
 * A refusal takes so long at least: whatever was done before it, opening an account that is there or finding
 * none, is over by then and cannot be told by the time.
 */
const REFUSAL_MS = 500

/** POST /api/v1/auth/login, and POST /auth/token with a form or JSON (RFC 6749 section 4.3) */
export function loginRoutes(app: App, { logins, issue }: Use): void {
  const login = async (request: FastifyRequest, reply: FastifyReply, given: Credentials) => {
    const start = performance.now()
    try {
      return issue(request, reply, await logins.login(callerOf(request), given))
    } catch (error) {
      if (isStrongroomError(error, 'wrong_credentials')) {
        await wait(Math.max(REFUSAL_MS - (performance.now() - start), 0))
      }
      throw error
    }
  }
  const summary = 'Log in with an account of this service'
  app.post(
    '/api/v1/auth/login',
    { schema: { summary, security: [], body: credentials, response: { 200: tokenAnswer } } },
    async (request, reply) => {
      const { email, password, totp } = request.body
      return await login(request, reply, { email, password, code: totp })
    },
  )
  app.register((scope, _options, done) => {
    formRoute(scope, login)
    done()
  })
}

/** In a scope of its own: nowhere else is a form taken. */
function formRoute(
  app: App,
  login: (request: FastifyRequest, reply: FastifyReply, given: Credentials) => Promise<Token>,
): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, parsed) => {
      parsed(null, Object.fromEntries(new URLSearchParams(body.toString())))
    },
  )
  app.post(
    '/auth/token',
    {
      schema: {
        summary: 'The same, by a form or JSON',
        security: [],
        body: tokenForm,
        response: { 200: tokenAnswer },
      },
    },
    async (request, reply) => {
      const { username, password, totp } = request.body
      return await login(request, reply, { email: username, password, code: totp })
    },
  )
}
