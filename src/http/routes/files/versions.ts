import { Type } from 'typebox'
import type { AuditLog } from '../../../audit/audit-log.js'
import type { ListVersions } from '../../../files/list-versions.js'
import type { OwnFiles } from '../../../files/own-files.js'
import type { App } from '../../app-type.js'
import { fileParams, versionEntry } from '../../schemas/file-schemas.js'

interface Use {
  readonly own: OwnFiles
  readonly audit: AuditLog
  readonly versions: ListVersions
}

/** GET /api/files/:file_id/versions */
export function versionsRoute(app: App, use: Use): void {
  app.get(
    '/api/files/:file_id/versions',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'The versions of a file, newest first',
        params: fileParams,
        response: { 200: Type.Object({ versions: Type.Array(versionEntry) }) },
      },
    },
    async ({ actor, params }) => {
      const action = 'file.versions_list'
      const { entry, grant } = await use.own.find(actor, params.file_id, { action })
      const { fileId } = entry.file
      const versions = await use.versions(actor, { fileId, grant })
      await use.audit.note(actor, { action, outcome: 'success', fileId })
      return { versions }
    },
  )
}
