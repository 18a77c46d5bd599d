import type { EmergencyBook } from '../../../emergency/emergency-book.js'
import type { ListEmergencyRecords } from '../../../records/list-emergency-records.js'
import type { App } from '../../app-type.js'
import { endEmergencyRoute } from './end.js'
import { listEmergenciesRoutes } from './list.js'
import { emergencyRecordsRoute } from './records.js'
import { requestEmergencyRoute } from './request.js'
import { reviewEmergencyRoute } from './review.js'

/** What the calls on emergency access need. */
export interface EmergencyRouteServices {
  readonly emergencies: EmergencyBook
  readonly records: { readonly listInEmergency: ListEmergencyRecords }
}

/** Emergency access: asked for, ended, reviewed, listed, and what it opens. */
export function registerEmergencyRoutes(app: App, services: EmergencyRouteServices): void {
  const { emergencies, records } = services
  const use = { emergencies, listRecords: records.listInEmergency }
  requestEmergencyRoute(app, use)
  listEmergenciesRoutes(app, use)
  emergencyRecordsRoute(app, use)
  endEmergencyRoute(app, use)
  reviewEmergencyRoute(app, use)
}
