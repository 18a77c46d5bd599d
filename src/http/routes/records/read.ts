import type { StartReading } from '../../../files/read-file.js'
import type { ReadRecord } from '../../../records/read-record.js'
import type { RecordAccess } from '../../../records/record-access.js'
import type { App } from '../../app-type.js'
import { isShownInline, serveBytes } from '../../bytes/serve-bytes.js'
import { fileParams, readQuery, versionOf } from '../../schemas/file-schemas.js'

interface Use {
  readonly access: Pick<RecordAccess, 'stillHolds'>
  readonly readRecord: ReadRecord
  readonly read: StartReading
  readonly frameAncestors: readonly string[]
}

/** GET and HEAD /api/files/medical-records/:file_id/download */
export function readRecordRoute(app: App, use: Use): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/api/files/medical-records/:file_id/download',
    config: { forPerson: 'content' },
    schema: {
      summary: 'The bytes of a medical record, by grant',
      description: '`Range`, `If-Range`, `If-None-Match`, `If-Match` and their dates are honoured.',
      params: fileParams,
      querystring: readQuery,
      produces: ['application/octet-stream'],
    },
    handler: async (request, reply) => {
      const { actor, params, query } = request
      const { view = false } = query
      const version = versionOf(query)
      const opened = await use.readRecord(actor, params.file_id, {
        kind: view ? 'view' : 'download',
        head: request.method === 'HEAD',
        version,
        isShown: isShownInline,
      })
      const { access, frameAncestors } = use
      const reading = use.read(actor, opened, { stillHolds: access.stillHolds(actor, opened) })
      return await serveBytes(request, reply, reading, { view, frameAncestors })
    },
  })
}
