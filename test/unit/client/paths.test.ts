import t from 'tap'
import { type OpenApi, openapiTypes } from '../../../client/scripts/openapi-types.js'
import { createClient } from '../../../client/src/node.js'
import { pathOf, queryOf } from '../../../client/src/service.js'
import { sourceOf } from '../../../client/src/source.js'

void t.test('an id is one step of a path', (t) => {
  const pattern = '/files/{file_id}/grants/{user_id}'
  const at = (user: string) => pathOf(pattern, { file_id: 'f', user_id: user })
  for (const id of ['ann', 'a/b', '../x', '?x#y', '%2e%2e', '…', 'a b', '.a', '...']) {
    const { pathname, search } = new URL(at(id), 'http://x')
    const steps = pathname.split('/')
    t.same(steps.slice(0, 4), ['', 'files', 'f', 'grants'])
    t.equal(decodeURIComponent(steps[4] ?? ''), id)
    t.equal(steps.length, 5)
    t.equal(search, '')
  }
  for (const id of ['', '.', '..']) t.throws(() => at(id), TypeError)
  t.throws(() => pathOf(pattern, { file_id: 'f' }), TypeError)
  t.equal(queryOf({ a: 1, b: undefined, c: 'x&y', d: true }), '?a=1&c=x%26y&d=true')
  t.equal(queryOf({ a: undefined }), '')
  t.equal(queryOf(), '')
  t.end()
})

void t.test('an origin', (t) => {
  for (const origin of ['ftp://x', 'x', 'http://ann:secret@x', '']) {
    t.throws(() => createClient({ origin, token: 'x' }), TypeError)
  }
  for (const origin of ['https://x', 'https://x/', 'http://[::1]:8006/files/']) {
    t.ok(createClient({ origin, token: 'x' }))
  }
  t.end()
})

void t.test('what is no source', (t) => {
  for (const none of ['text', 17, null, undefined, {}, [1]]) {
    t.throws(() => sourceOf(none as Blob), TypeError)
  }
  t.end()
})

void t.test('types of a document', (t) => {
  const answer = (schema: object) => ({ content: { 'application/json': { schema } } })
  const document: OpenApi = {
    paths: {
      '/x/{id}': {
        head: { responses: { 200: answer({ type: 'string' }) } },
        get: {
          parameters: [
            { in: 'path', name: 'id', required: true, schema: { type: 'string' } },
            { in: 'query', name: 'n', schema: { type: 'integer' } },
          ],
          responses: {
            400: answer({ type: 'string' }),
            200: answer({
              type: 'object',
              required: ['a'],
              properties: {
                a: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
                b: { enum: ['x', 'y'] },
                c: { type: 'object', additionalProperties: { type: 'boolean' } },
                d: {},
              },
            }),
          },
        },
        post: { requestBody: answer({ type: ['string', 'null'] }), responses: { 204: {} } },
      },
    },
  }
  const lines = openapiTypes(document).split('\n')
  for (const line of [
    'readonly "GET /x/{id}": {',
    'readonly "id": string',
    'readonly "n"?: number | undefined',
    'readonly "a": readonly (string | null)[]',
    'readonly "b"?: "x" | "y" | undefined',
    'readonly "c"?: Readonly<Record<string, boolean>> | undefined',
    'readonly "d"?: unknown | undefined',
    'readonly body: string | null',
    'readonly answer: undefined',
  ]) {
    t.ok(lines.includes(line), line)
  }
  t.notOk(lines.some((line) => line.includes('HEAD')))
  const unknown = { paths: { '/x': { get: { responses: { 200: answer({ type: 'date' }) } } } } }
  t.throws(() => openapiTypes(unknown))
  t.end()
})
