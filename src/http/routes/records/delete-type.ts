import { Type } from 'typebox'
import type { RecordTypes } from '../../../records/record-types.js'
import type { App } from '../../app-type.js'
import { typeParams } from '../../schemas/record-schemas.js'

/** DELETE /api/medical-record-types/:type_id */
export function deleteTypeRoute(app: App, use: { types: Pick<RecordTypes, 'remove'> }): void {
  app.delete(
    '/api/medical-record-types/:type_id',
    {
      schema: {
        summary: 'Delete a kind of medical record that no record is of (administrators)',
        params: typeParams,
        response: { 200: Type.Object({ id: Type.String() }) },
      },
    },
    async ({ actor, params }) => {
      await use.types.remove(actor, params.type_id)
      return { id: params.type_id }
    },
  )
}
