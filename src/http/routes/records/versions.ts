import { Type } from 'typebox'
import type { AuditLog } from '../../../audit/audit-log.js'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import type { ListVersions } from '../../../files/list-versions.js'
import { basisOf } from '../../../files/open-entry.js'
import type { RecordAccess } from '../../../records/record-access.js'
import type { App } from '../../app-type.js'
import { fileParams, versionEntry } from '../../schemas/file-schemas.js'

interface Use {
  readonly access: RecordAccess
  readonly audit: AuditLog
  readonly versions: ListVersions
}

/** GET /api/files/medical-records/:file_id/versions */
export function recordVersionsRoute(app: App, use: Use): void {
  app.get(
    '/api/files/medical-records/:file_id/versions',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'The versions of a medical record, newest first',
        params: fileParams,
        response: { 200: Type.Object({ versions: Type.Array(versionEntry) }) },
      },
    },
    async ({ actor, params }) => {
      const action = 'record.versions_list'
      const options = { audit: action } as const
      const { entry, grant, emergency } = await use.access.permit(
        actor,
        params.file_id,
        'list_versions',
        options,
      )
      const { fileId, ownerId: patientId } = entry.file
      if (grant === undefined) throw new StrongroomError('forbidden')
      const versions = await use.versions(actor, { fileId, grant })
      const basis = basisOf({ grant, emergency })
      await use.audit.note(actor, { action, outcome: 'success', fileId, patientId, ...basis })
      return { versions }
    },
  )
}
