import { summarize } from '../../../files/file-summary.js'
import { withOpened } from '../../../files/open-entry.js'
import type { OwnFiles } from '../../../files/own-files.js'
import type { UpdateFile } from '../../../files/update-file.js'
import type { App } from '../../app-type.js'
import { changesBody, fileEntry, fileParams } from '../../schemas/file-schemas.js'

/** PATCH /api/files/:file_id/metadata */
export function updateRoute(app: App, use: { own: OwnFiles; update: UpdateFile }): void {
  app.patch(
    '/api/files/:file_id/metadata',
    {
      config: { forPerson: 'update' },
      schema: {
        summary: 'Change name, label or notes',
        params: fileParams,
        body: changesBody,
        response: { 200: fileEntry },
      },
    },
    async ({ actor, body, params }) => {
      const opened = await use.own.open(actor, params.file_id, { action: 'file.update' })
      const { file } = opened.entry
      return await withOpened(opened, async () => {
        const { metadata, updatedAt } = await use.update(actor, opened, body)
        return summarize({ ...file, updatedAt }, metadata)
      })
    },
  )
}
