import type { RestoreFile } from '../../../files/delete-file.js'
import type { FileSummary } from '../../../files/file-summary.js'
import type { OwnFiles } from '../../../files/own-files.js'
import type { App } from '../../app-type.js'
import { fileEntry, fileParams } from '../../schemas/file-schemas.js'

/** POST /api/files/:file_id/restore */
export function restoreRoute(app: App, use: { own: OwnFiles; restore: RestoreFile }): void {
  app.post(
    '/api/files/:file_id/restore',
    {
      config: { forPerson: 'delete' },
      schema: {
        summary: 'Undo a deletion',
        params: fileParams,
        response: { 200: fileEntry },
      },
    },
    async ({ actor, params }): Promise<FileSummary> => {
      const { entry } = await use.own.findAny(actor, params.file_id, { action: 'file.restore' })
      await use.restore(actor, entry.file)
      return await use.own.describe(actor, entry.file.fileId)
    },
  )
}
