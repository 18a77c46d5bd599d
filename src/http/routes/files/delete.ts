import type { DeleteFile } from '../../../files/delete-file.js'
import type { OwnFiles } from '../../../files/own-files.js'
import type { App } from '../../app-type.js'
import { deletion, fileParams } from '../../schemas/file-schemas.js'

/** DELETE /api/files/:file_id/delete, and plainly DELETE /api/files/:file_id */
export function deleteRoute(app: App, use: { own: OwnFiles; delete: DeleteFile }): void {
  for (const url of ['/api/files/:file_id/delete', '/api/files/:file_id']) {
    app.delete(
      url,
      {
        config: { forPerson: 'delete' },
        schema: {
          summary: 'Delete a file',
          description: 'Gone at once; can be restored until `purge_after`.',
          params: fileParams,
          response: { 200: deletion },
        },
      },
      async ({ actor, params }) => {
        const found = await use.own.find(actor, params.file_id, { action: 'file.delete' })
        return await use.delete(actor, found.entry.file)
      },
    )
  }
}
