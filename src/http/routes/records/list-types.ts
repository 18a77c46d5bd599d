import { Type } from 'typebox'
import type { RecordTypes } from '../../../records/record-types.js'
import type { App } from '../../app-type.js'
import { recordType } from '../../schemas/record-schemas.js'

/** GET /api/medical-record-types */
export function listTypesRoute(app: App, use: { types: Pick<RecordTypes, 'list'> }): void {
  app.get(
    '/api/medical-record-types',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'The kinds of medical records',
        response: { 200: Type.Object({ types: Type.Array(recordType) }) },
      },
    },
    async () => ({ types: await use.types.list() }),
  )
}
