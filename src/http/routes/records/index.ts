import type { AuditLog } from '../../../audit/audit-log.js'
import type { AccessHistory } from '../../../files/access-history.js'
import type { ListVersions } from '../../../files/list-versions.js'
import type { StartReading } from '../../../files/read-file.js'
import type { UpdateFile } from '../../../files/update-file.js'
import type { AssignmentBook } from '../../../records/assignments.js'
import type { DeleteRecord, RestoreRecord } from '../../../records/delete-record.js'
import type { Disclosures } from '../../../records/disclosures.js'
import type { RecordGrants } from '../../../records/grants.js'
import type { ListRecords } from '../../../records/list-records.js'
import type { ReadRecord } from '../../../records/read-record.js'
import type { RecordAccess } from '../../../records/record-access.js'
import type { RecordTypes } from '../../../records/record-types.js'
import type { ReplaceContent } from '../../../records/replace-content.js'
import type { UploadRecord } from '../../../records/upload-record.js'
import type { App } from '../../app-type.js'
import type { BodyLimits } from '../../multipart/upload-request.js'
import { recordAccessLogRoute } from './access-log.js'
import { addGrantRoute } from './add-grant.js'
import { createAssignmentRoute } from './create-assignment.js'
import { createTypeRoute } from './create-type.js'
import { deleteRecordRoute } from './delete.js'
import { deleteTypeRoute } from './delete-type.js'
import { disclosuresRoutes } from './disclosures.js'
import { endAssignmentRoute } from './end-assignment.js'
import { listRecordsRoute } from './list.js'
import { listAssignmentsRoute } from './list-assignments.js'
import { listGrantsRoute } from './list-grants.js'
import { listTypesRoute } from './list-types.js'
import { recordMetadataRoute } from './metadata.js'
import { myAccessLogRoute } from './my-access-log.js'
import { putRecordContentRoute } from './put-content.js'
import { readRecordRoute } from './read.js'
import { restoreRecordRoute } from './restore.js'
import { revokeGrantRoute } from './revoke-grant.js'
import { updateRecordRoute } from './update.js'
import { updateTypeRoute } from './update-type.js'
import { uploadRecordRoute } from './upload.js'
import { recordVersionsRoute } from './versions.js'

/** What the calls of family B need. */
export interface RecordRouteServices {
  readonly audit: AuditLog
  readonly config: {
    readonly http: { readonly frameAncestors: readonly string[] }
    readonly uploads: BodyLimits
  }
  readonly files: {
    readonly read: StartReading
    readonly update: UpdateFile
    readonly versions: ListVersions
    readonly accessHistory: AccessHistory
  }
  readonly disclosures: Disclosures
  readonly records: {
    readonly access: RecordAccess
    readonly upload: UploadRecord
    readonly list: ListRecords
    readonly readRecord: ReadRecord
    readonly replaceContent: ReplaceContent
    readonly delete: DeleteRecord
    readonly restore: RestoreRecord
    readonly grants: RecordGrants
    readonly types: RecordTypes
    readonly assignmentBook: AssignmentBook
  }
}

/** Family B: medical records, their types, and who treats whom. */
export function registerRecordRoutes(app: App, services: RecordRouteServices): void {
  const { audit, config, files, records } = services
  const use = {
    ...records,
    audit,
    read: files.read,
    update: files.update,
    versions: files.versions,
    accessHistory: files.accessHistory,
    bodyLimits: config.uploads,
    frameAncestors: config.http.frameAncestors,
  }
  uploadRecordRoute(app, use)
  listRecordsRoute(app, use)
  readRecordRoute(app, use)
  recordMetadataRoute(app, use)
  updateRecordRoute(app, use)
  putRecordContentRoute(app, use)
  recordVersionsRoute(app, use)
  deleteRecordRoute(app, use)
  restoreRecordRoute(app, use)
  listGrantsRoute(app, use)
  addGrantRoute(app, use)
  revokeGrantRoute(app, use)
  recordAccessLogRoute(app, use)
  myAccessLogRoute(app, use)
  disclosuresRoutes(app, { disclosures: services.disclosures })
  listTypesRoute(app, use)
  createTypeRoute(app, use)
  updateTypeRoute(app, use)
  deleteTypeRoute(app, use)
  listAssignmentsRoute(app, use)
  createAssignmentRoute(app, use)
  endAssignmentRoute(app, use)
}
