import { Type } from 'typebox'
import type { AuditReports } from '../../../audit/audit-reports.js'
import type { DaySum } from '../../../audit/ports.js'
import type { App } from '../../app-type.js'
import { spanOf, statsAnswer, statsQuery } from '../../schemas/audit-schemas.js'

/** GET /api/v1/audit/stats, GET /api/v1/audit/user-stats/:user_id */
export function auditStatsRoutes(app: App, use: { reports: AuditReports }): void {
  app.get(
    '/api/v1/audit/stats',
    {
      schema: {
        summary: 'How much happened, by day, action and outcome (auditors, administrators)',
        querystring: statsQuery,
        response: { 200: statsAnswer },
      },
    },
    async ({ actor, query }) => {
      const span = spanOf(query)
      return answerOf(span, await use.reports.stats(actor, span))
    },
  )
  app.get(
    '/api/v1/audit/user-stats/:user_id',
    {
      schema: {
        summary: 'How much one person did (auditors, administrators, themselves)',
        params: Type.Object({ user_id: Type.String({ minLength: 1, maxLength: 128 }) }),
        querystring: statsQuery,
        response: { 200: statsAnswer },
      },
    },
    async ({ actor, params, query }) => {
      const span = spanOf(query)
      return answerOf(span, await use.reports.userStats(actor, params.user_id, span))
    },
  )
}

function answerOf(span: { readonly from: string; readonly to: string }, days: DaySum[]) {
  return {
    ...span,
    total: days.reduce((sum, { events }) => sum + events, 0),
    by_action: sumsBy(days, 'action'),
    by_outcome: sumsBy(days, 'outcome'),
    days,
  }
}

function sumsBy(days: readonly DaySum[], name: 'action' | 'outcome'): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const day of days) sums[day[name]] = (sums[day[name]] ?? 0) + day.events
  return sums
}
