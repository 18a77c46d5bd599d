import { Type } from 'typebox'
import type { ListFiles } from '../../../files/list-files.js'
import type { App } from '../../app-type.js'
import { fileEntry } from '../../schemas/file-schemas.js'
import { pageEnd, pageEndProperties, pagingOf, pagingProperties } from '../../schemas/paging.js'

/** GET /api/files/user */
export function listRoute(app: App, use: { list: ListFiles }): void {
  app.get(
    '/api/files/user',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Your files, newest first',
        querystring: Type.Object(
          {
            ...pagingProperties,
            deleted: Type.Optional(
              Type.Boolean({ description: 'Those that were deleted and can be restored.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            files: Type.Array(fileEntry),
            ...pageEndProperties,
          }),
        },
      },
    },
    async (request) => {
      const { deleted = false, ...paging } = request.query
      const page = await use.list(request.actor, { ...pagingOf(paging), deleted })
      return { files: page.files, ...pageEnd(page) }
    },
  )
}
