import { Type } from 'typebox'
import type { ListRecords } from '../../../records/list-records.js'
import type { App } from '../../app-type.js'
import { pageEnd, pageEndProperties, pagingOf, pagingProperties } from '../../schemas/paging.js'
import { recordEntry, timeField, timeOf } from '../../schemas/record-schemas.js'

const id = Type.Optional(Type.String({ minLength: 1, maxLength: 128 }))

/** GET /api/files/medical-records */
export function listRecordsRoute(app: App, use: { list: ListRecords }): void {
  app.get(
    '/api/files/medical-records',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'The medical records you can open, newest first',
        querystring: Type.Object(
          {
            ...pagingProperties,
            patient_id: id,
            type: id,
            from: Type.Optional(timeField),
            to: Type.Optional(timeField),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            records: Type.Array(recordEntry),
            ...pageEndProperties,
          }),
        },
      },
    },
    async ({ actor, query }) => {
      const { patient_id: patientId, type: recordTypeId, from, to, ...paging } = query
      const page = await use.list(actor, {
        ...pagingOf(paging),
        patientId,
        recordTypeId,
        from: from === undefined ? undefined : timeOf('from', from),
        to: to === undefined ? undefined : timeOf('to', to),
      })
      return { records: page.records, ...pageEnd(page) }
    },
  )
}
