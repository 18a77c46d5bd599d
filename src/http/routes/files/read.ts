import type { OwnFiles } from '../../../files/own-files.js'
import type { StartReading } from '../../../files/read-file.js'
import type { App } from '../../app-type.js'
import { serveBytes } from '../../bytes/serve-bytes.js'
import { fileParams, readQuery, versionOf } from '../../schemas/file-schemas.js'

interface Use {
  readonly own: OwnFiles
  readonly read: StartReading
  readonly frameAncestors: readonly string[]
}

/** GET and HEAD /api/files/:file_id */
export function readRoute(app: App, use: Use): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/api/files/:file_id',
    config: { forPerson: 'content' },
    schema: {
      summary: 'The bytes of a file',
      description: '`Range`, `If-Range`, `If-None-Match`, `If-Match` and their dates are honoured.',
      params: fileParams,
      querystring: readQuery,
      produces: ['application/octet-stream'],
    },
    handler: async (request, reply) => {
      const { view = false } = request.query
      const version = versionOf(request.query)
      const head = request.method === 'HEAD'
      const action = head ? 'file.head' : view ? 'file.view' : 'file.download'
      const opened = await use.own.open(request.actor, request.params.file_id, { action, version })
      const reading = use.read(request.actor, opened)
      return await serveBytes(request, reply, reading, {
        view,
        frameAncestors: use.frameAncestors,
      })
    },
  })
}
