import type { Actor } from './audit/audit-events.js'
import type { AuditLog } from './audit/audit-log.js'
import type { Config } from './config.js'
import type { AllStores } from './db/stores.js'
import type { AddVersion } from './files/add-version.js'
import type { DeleteFile, RestoreFile } from './files/delete-file.js'
import type { UploadDependencies } from './files/upload-file.js'
import { portalAssignments } from './integrations/portal-assignments.js'
import type { TracedCall } from './ports/tracing.js'
import type { Transactions } from './ports/transactions.js'
import type { WorkLog } from './ports/work-log.js'
import { assignmentBook } from './records/assignments.js'
import { deleteRecord, restoreRecord } from './records/delete-record.js'
import { grantTeam } from './records/grant-team.js'
import { recordGrants } from './records/grants.js'
import { listEmergencyRecords } from './records/list-emergency-records.js'
import { listRecords } from './records/list-records.js'
import { noticeAssignment } from './records/notice-assignment.js'
import { ownAssignments } from './records/own-assignments.js'
import type { Emergencies } from './records/ports.js'
import { readRecord } from './records/read-record.js'
import { recordAccess } from './records/record-access.js'
import { recordTypes } from './records/record-types.js'
import { replaceContent } from './records/replace-content.js'
import { TEAM_GRANTS } from './records/team-grants-job.js'
import { uploadRecord } from './records/upload-record.js'

export type Ending = <Given extends readonly unknown[], Result>(
  work: (...given: Given) => Promise<Result>,
) => (...given: Given) => Promise<Result>

interface Parts extends Omit<UploadDependencies, 'db' | 'ownFiles'> {
  readonly config: Pick<Config, 'assignments'>
  readonly db: Transactions<AllStores>
  readonly audit: AuditLog
  readonly emergencies: Emergencies
  readonly log: WorkLog
  readonly addVersion: AddVersion
  readonly deleteFile: DeleteFile
  readonly restoreFile: RestoreFile
  readonly jobs: { wake(): void }
  readonly traced: TracedCall | undefined
  /** Calls, after the work, for a look at what readings rest on. */
  readonly ending: Ending
}

/** The half of the composition that family B needs: records, who treats whom, and the team's job. */
export function wireRecords(parts: Parts) {
  const { config, db, audit, emergencies, hash, jobs, keyRing, log, openEntry } = parts
  const { url } = config.assignments
  const grantsToTeam = config.assignments.grants === 'team'
  const portal =
    url === undefined
      ? undefined
      : portalAssignments({
          ...config.assignments,
          url,
          log,
          traced: parts.traced,
          onAssigned: async (clinicianId, patientId) => {
            if (grantsToTeam) await noticeAssignment({ db, jobs, hash })(clinicianId, patientId)
          },
        })
  const assignments = portal ?? ownAssignments(db)
  const access = recordAccess({ db, audit, assignments, emergencies, openEntry })
  const use = { ...parts, assignments, access, grantsToTeam }
  const grants = recordGrants(use)
  return {
    services: {
      access,
      upload: uploadRecord(use),
      list: listRecords({ ...use, portal: grantsToTeam ? portal : undefined }),
      listInEmergency: listEmergencyRecords(use),
      readRecord: readRecord(use),
      replaceContent: replaceContent(use),
      delete: deleteRecord(use),
      restore: restoreRecord(use),
      grants: {
        ...grants,
        revoke: parts.ending((actor: Actor, fileId: string, userId: string) =>
          grants.revoke(actor, fileId, userId),
        ),
      },
      types: recordTypes(use),
      assignmentBook: assignmentBook(use),
    },
    assignments,
    /** What the jobs of this half do, by kind. */
    jobHandlers: { [TEAM_GRANTS]: grantTeam({ db, assignments, keyRing }) },
    close: async () => {
      await portal?.close()
    },
  }
}
