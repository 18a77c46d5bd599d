import type { AuditLog } from '../../../audit/audit-log.js'
import type { AccessHistory } from '../../../files/access-history.js'
import type { AddVersion } from '../../../files/add-version.js'
import type { CheckFile } from '../../../files/check-file.js'
import type { DeleteFile, RestoreFile } from '../../../files/delete-file.js'
import type { ListFiles } from '../../../files/list-files.js'
import type { ListVersions } from '../../../files/list-versions.js'
import type { OwnFiles } from '../../../files/own-files.js'
import type { StartReading } from '../../../files/read-file.js'
import type { IncomingLimits, SealIncoming } from '../../../files/seal-incoming.js'
import type { UpdateFile } from '../../../files/update-file.js'
import type { UploadBatch } from '../../../files/upload-batch.js'
import type { UploadFile } from '../../../files/upload-file.js'
import type { UploadSlots } from '../../../files/upload-slots.js'
import type { App } from '../../app-type.js'
import type { BodyLimits } from '../../multipart/upload-request.js'
import { accessLogRoute } from './access-log.js'
import { checkRoute } from './check.js'
import { deleteRoute } from './delete.js'
import { listRoute } from './list.js'
import { metadataRoute } from './metadata.js'
import { putContentRoute } from './put-content.js'
import { readRoute } from './read.js'
import { restoreRoute } from './restore.js'
import { updateRoute } from './update.js'
import { uploadRoute } from './upload.js'
import { uploadBatchRoute } from './upload-batch.js'
import { versionsRoute } from './versions.js'

/** What the calls of family A need. */
export interface FileRouteServices {
  readonly audit: AuditLog
  readonly config: {
    readonly http: { readonly frameAncestors: readonly string[] }
    readonly uploads: BodyLimits
  }
  readonly files: {
    readonly own: OwnFiles
    readonly seal: SealIncoming
    readonly slots: UploadSlots
    readonly limits: IncomingLimits
    readonly upload: UploadFile
    readonly uploadBatch: UploadBatch
    readonly check: CheckFile
    readonly list: ListFiles
    readonly read: StartReading
    readonly update: UpdateFile
    readonly addVersion: AddVersion
    readonly versions: ListVersions
    readonly accessHistory: AccessHistory
    readonly delete: DeleteFile
    readonly restore: RestoreFile
  }
}

/** Family A: a person's own files. */
export function registerFileRoutes(app: App, { audit, config, files }: FileRouteServices): void {
  const use = {
    ...files,
    audit,
    bodyLimits: config.uploads,
    frameAncestors: config.http.frameAncestors,
  }
  uploadRoute(app, use)
  uploadBatchRoute(app, use)
  checkRoute(app, use)
  listRoute(app, use)
  readRoute(app, use)
  metadataRoute(app, use)
  updateRoute(app, use)
  deleteRoute(app, use)
  restoreRoute(app, use)
  putContentRoute(app, use)
  versionsRoute(app, use)
  accessLogRoute(app, use)
}
