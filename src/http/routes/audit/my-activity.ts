import type { AuditReports } from '../../../audit/audit-reports.js'
import { summarizeEvent } from '../../../audit/event-summary.js'
import type { App } from '../../app-type.js'
import { activityQuery, eventPage, filterOf } from '../../schemas/audit-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

/** GET /api/v1/audit/my-activity */
export function myActivityRoute(app: App, use: { reports: AuditReports }): void {
  app.get(
    '/api/v1/audit/my-activity',
    {
      schema: {
        summary: 'What you did yourself, newest first',
        querystring: activityQuery,
        response: { 200: eventPage },
      },
    },
    async ({ actor, query }) => {
      const { events, next } = await use.reports.myActivity(actor, filterOf(query), pagingOf(query))
      return { events: events.map(summarizeEvent), next_cursor: encodeCursor(next) }
    },
  )
}
