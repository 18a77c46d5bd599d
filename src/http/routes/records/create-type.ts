import type { RecordTypes } from '../../../records/record-types.js'
import type { App } from '../../app-type.js'
import { recordType, recordTypeBody } from '../../schemas/record-schemas.js'

/** POST /api/medical-record-types */
export function createTypeRoute(app: App, use: { types: Pick<RecordTypes, 'create'> }): void {
  app.post(
    '/api/medical-record-types',
    {
      schema: {
        summary: 'Make a kind of medical record (administrators)',
        body: recordTypeBody,
        response: { 201: recordType },
      },
    },
    async ({ actor, body }, reply) =>
      await reply.code(201).send(await use.types.create(actor, body)),
  )
}
