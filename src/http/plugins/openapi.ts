import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TSchema } from 'typebox'
import type { App } from '../app-type.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Shape of a `multipart/form-data` body, for the document: the handler reads it as a stream. */
    readonly multipart?: TSchema
    /** What `*` at the end of a path stands for, by its name. */
    readonly restOfPath?: Readonly<Record<string, TSchema>>
  }
}

const info = {
  title: 'Strongroom',
  version: '1',
  description:
    'Keeps files for healthcare portals: sealed under keys of the people concerned, every access on record. ' +
    'Errors are problem documents (RFC 9457) with a stable `code`. A service names the person it acts for in ' +
    '`X-On-Behalf-Of`; where COOKIE_AUTH is set, the cookie `access_token` is taken in place of the header.',
}

/** The OpenAPI document at `/api/openapi.json`, and a page to read and try it at `/api/reference/`. */
export function registerOpenapi(app: App): void {
  app.register(swagger, {
    exposeHeadRoutes: true,
    openapi: {
      openapi: '3.1.0',
      info,
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
      security: [{ bearer: [] }],
    },
    transform: ({ schema, url, route }) => {
      const rest = route.config?.restOfPath
      if (rest !== undefined) return { schema: withRest(schema, rest), url: named(url, rest) }
      const body = route.config?.multipart
      if (body === undefined) return { schema, url }
      return { schema: { ...schema, body, consumes: ['multipart/form-data'] }, url }
    },
  })
  app.register(swaggerUi, {
    routePrefix: '/api/reference',
    staticCSP: true,
    transformStaticCSP: ownSourcesOnly,
    uiConfig: { persistAuthorization: false, validatorUrl: null },
  })
  app.register((scope, _options, done) => {
    scope.get('/api/openapi.json', { schema: { hide: true } }, () => app.swagger())
    done()
  })
}

function withRest<S extends { readonly params?: unknown }>(
  schema: S,
  rest: Readonly<Record<string, TSchema>>,
): S {
  const { properties = {}, required = [] } = schema.params as {
    readonly properties?: object
    readonly required?: readonly string[]
  }
  const all = { ...properties, ...rest }
  const params = { type: 'object', properties: all, required: [...required, ...Object.keys(rest)] }
  return { ...schema, params }
}

const named = (url: string, rest: object) => url.replace(/\*$/, `:${Object.keys(rest)[0] ?? ''}`)

/** The page's own policy, with its scripts' hashes, but without other hosts, and for plain HTTP too. */
function ownSourcesOnly(policy: string): string {
  return policy
    .replaceAll(/ https:| validator\.swagger\.io/g, '')
    .replace("frame-ancestors 'self'", "frame-ancestors 'none'")
    .replace(/ upgrade-insecure-requests;?/, '')
}
