import type { FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Actor } from '../../../audit/audit-events.js'
import type { Disclosures } from '../../../records/disclosures.js'
import type { App } from '../../app-type.js'
import { sendDisclosures } from '../../exports/access-exports.js'
import { accessExportQuery, disclosurePage, timesOf } from '../../schemas/audit-schemas.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'

type Query = Static<typeof accessExportQuery>

/** GET /api/patients/me/disclosures, GET /api/patients/:patient_id/disclosures */
export function disclosuresRoutes(app: App, use: { disclosures: Disclosures }): void {
  const answer = async (
    { actor, query }: { readonly actor: Actor; readonly query: Query },
    reply: FastifyReply,
    patientId: string,
  ) => {
    const { format = 'json', from, to, ...paging } = query
    const { limit, after } = pagingOf(paging)
    const wish = { patientId, ...timesOf({ ...(from && { from }), ...(to && { to }) }) }
    if (format !== 'json') {
      await sendDisclosures(reply, format, await use.disclosures.stream(actor, wish), wish)
      return
    }
    const page = await use.disclosures.page(actor, { ...wish, after }, limit)
    return { disclosures: page.disclosures, next_cursor: encodeCursor(page.next) }
  }
  app.get(
    '/api/patients/me/disclosures',
    {
      schema: {
        summary: 'To whom your medical records were opened in the last six years, newest first',
        querystring: accessExportQuery,
        response: { 200: disclosurePage },
      },
    },
    async (request, reply) => await answer(request, reply, request.actor.userId),
  )
  app.get(
    '/api/patients/:patient_id/disclosures',
    {
      schema: {
        summary: 'The same of a patient, without the purposes (auditors, administrators)',
        params: Type.Object({ patient_id: Type.String({ minLength: 1, maxLength: 128 }) }),
        querystring: accessExportQuery,
        response: { 200: disclosurePage },
      },
    },
    async (request, reply) => await answer(request, reply, request.params.patient_id),
  )
}
