import type { AddVersion } from '../../../files/add-version.js'
import { summarize } from '../../../files/file-summary.js'
import { withOpened } from '../../../files/open-entry.js'
import type { OwnFiles } from '../../../files/own-files.js'
import { describingFields, receiveForm, textOf } from '../../../files/receive-form.js'
import type { IncomingLimits, SealIncoming } from '../../../files/seal-incoming.js'
import type { UploadSlots } from '../../../files/upload-slots.js'
import type { App } from '../../app-type.js'
import { type BodyLimits, uploadOf } from '../../multipart/upload-request.js'
import { fileEntry, fileParams } from '../../schemas/file-schemas.js'

interface Use {
  readonly own: OwnFiles
  readonly addVersion: AddVersion
  readonly seal: SealIncoming
  readonly slots: UploadSlots
  readonly limits: IncomingLimits
  readonly bodyLimits: BodyLimits
}

/** PUT /api/files/:file_id/content */
export function putContentRoute(app: App, use: Use): void {
  app.put(
    '/api/files/:file_id/content',
    {
      config: { forPerson: 'upload' },
      schema: {
        summary: 'Upload a new version of a file',
        description: 'The same bytes again make no new version.',
        consumes: ['multipart/form-data'],
        params: fileParams,
        response: { 200: fileEntry },
      },
    },
    async (request) => {
      const { actor, params } = request
      const opened = await use.own.open(actor, params.file_id, { action: 'file.version_add' })
      return await withOpened(opened, async ({ entry }) => {
        const { parts, headerDigest } = uploadOf(request, use.bodyLimits)
        const { metadata, updatedAt } = await use.slots.run(async () => {
          const { fields, sealed } = await receiveForm(parts, {
            known: Object.keys(describingFields),
            headerDigest,
            seal: (file) => use.seal(file, use.limits),
          })
          const description = { label: textOf(fields, 'label'), notes: textOf(fields, 'notes') }
          return await use.addVersion(actor, opened, { sealed, ...description })
        })
        return summarize({ ...entry.file, updatedAt }, metadata)
      })
    },
  )
}
