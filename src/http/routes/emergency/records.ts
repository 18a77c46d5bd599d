import { Type } from 'typebox'
import type { EmergencyBook } from '../../../emergency/emergency-book.js'
import type { ListEmergencyRecords } from '../../../records/list-emergency-records.js'
import type { App } from '../../app-type.js'
import { emergencyParams, emergencyRecordsQuery } from '../../schemas/emergency-schemas.js'
import { pageEnd, pageEndProperties, pagingOf } from '../../schemas/paging.js'
import { recordEntry } from '../../schemas/record-schemas.js'

interface Use {
  readonly emergencies: Pick<EmergencyBook, 'patientOf'>
  readonly listRecords: ListEmergencyRecords
}

/** GET /api/emergency-access/:emergency_id/records */
export function emergencyRecordsRoute(app: App, use: Use): void {
  app.get(
    '/api/emergency-access/:emergency_id/records',
    {
      schema: {
        summary: 'The records your emergency access opens, newest first',
        params: emergencyParams,
        querystring: emergencyRecordsQuery,
        response: { 200: Type.Object({ records: Type.Array(recordEntry), ...pageEndProperties }) },
      },
    },
    async ({ actor, params, query }) => {
      const { type: recordTypeId, ...paging } = query
      const { emergency_id: emergencyId } = params
      const patientId = await use.emergencies.patientOf(actor, emergencyId)
      const page = await use.listRecords(
        actor,
        { emergencyId, patientId },
        { ...pagingOf(paging), recordTypeId },
      )
      return { records: page.records, ...pageEnd(page) }
    },
  )
}
