import { Type } from 'typebox'
import type { ListDocuments } from '../../../documents/list-documents.js'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import { isPersonId } from '../../../people/portal-id.js'
import type { App } from '../../app-type.js'
import { documentList } from '../../schemas/document-schemas.js'
import { pageEnd, pagingOf, pagingProperties } from '../../schemas/paging.js'

const id = Type.Optional(Type.String({ minLength: 1, maxLength: 128 }))

/** GET /api/docs */
export function listDocumentsRoute(app: App, { list }: { readonly list: ListDocuments }): void {
  app.get(
    '/api/docs',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Documents of a patient, or your own of no patient, newest first',
        querystring: Type.Object({ ...pagingProperties, patientId: id, clinicId: id }),
        response: { 200: documentList },
      },
    },
    async ({ actor, query }) => {
      const { patientId, clinicId, ...paging } = query
      if (patientId !== undefined && !isPersonId(patientId)) {
        throw new StrongroomError('invalid_field', { detail: 'patientId: not an id' })
      }
      const page = await list(actor, { ...pagingOf(paging), patientId, clinicId })
      return { documents: page.documents, ...pageEnd(page) }
    },
  )
}
