import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { AuditEvent } from '../../../audit/audit-events.js'
import type { AuditReports } from '../../../audit/audit-reports.js'
import { summarizeEvent } from '../../../audit/event-summary.js'
import type { App } from '../../app-type.js'
import { csvLines, fhirLines, jsonLines } from '../../exports/event-lines.js'
import { eventPage, filterOf, logsQuery } from '../../schemas/audit-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

const exports = {
  csv: { type: 'text/csv; charset=utf-8; header=present', lines: csvLines },
  ndjson: { type: 'application/x-ndjson', lines: jsonLines },
  fhir: { type: 'application/fhir+ndjson', lines: fhirLines },
} as const

/** GET /api/v1/audit/logs */
export function auditLogsRoute(app: App, use: { reports: AuditReports }): void {
  app.get(
    '/api/v1/audit/logs',
    {
      schema: {
        summary: 'The audit log, newest first (auditors, administrators)',
        querystring: logsQuery,
        response: { 200: eventPage },
      },
    },
    async ({ actor, query }, reply) => {
      const filter = filterOf(query)
      const { format = 'json' } = query
      if (format !== 'json') {
        const events = await use.reports.stream(actor, filter)
        await sendLines(reply, format, events)
        return
      }
      const { events, next } = await use.reports.logs(actor, filter, pagingOf(query))
      return { events: events.map(summarizeEvent), next_cursor: encodeCursor(next) }
    },
  )
}

/** An error on the way breaks the answer off: a short log must not look like a whole one. */
async function sendLines(
  reply: FastifyReply,
  format: keyof typeof exports,
  events: AsyncIterable<AuditEvent>,
): Promise<void> {
  const { type, lines } = exports[format]
  const extension = format === 'fhir' ? 'fhir.ndjson' : format
  reply.header('content-disposition', `attachment; filename="audit.${extension}"`)
  await reply.type(type).send(Readable.from(lines(events)))
}
