import type { RecordTypes } from '../../../records/record-types.js'
import type { App } from '../../app-type.js'
import { recordType, recordTypeBody, typeParams } from '../../schemas/record-schemas.js'

/** PUT /api/medical-record-types/:type_id */
export function updateTypeRoute(app: App, use: { types: Pick<RecordTypes, 'update'> }): void {
  app.put(
    '/api/medical-record-types/:type_id',
    {
      schema: {
        summary: 'Replace a kind of medical record (administrators)',
        params: typeParams,
        body: recordTypeBody,
        response: { 200: recordType },
      },
    },
    async ({ actor, body, params }) => await use.types.update(actor, params.type_id, body),
  )
}
