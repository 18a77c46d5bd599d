import { Type } from 'typebox'
import type { ListFiles } from '../../../files/list-files.js'
import type { App } from '../../app-type.js'
import { fileEntry } from '../../schemas/file-schemas.js'
import { encodeCursor, pagingOf, pagingProperties } from '../../schemas/paging.js'

/** GET /api/files/user */
export function listRoute(app: App, use: { list: ListFiles }): void {
  app.get(
    '/api/files/user',
    {
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
            next_cursor: Type.Union([Type.String(), Type.Null()]),
          }),
        },
      },
    },
    async (request) => {
      const { deleted = false, ...paging } = request.query
      const { files, next } = await use.list(request.actor, { ...pagingOf(paging), deleted })
      return { files, next_cursor: encodeCursor(next) }
    },
  )
}
