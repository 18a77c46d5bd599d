import { type Download, type DownloadOptions, download } from './download.js'
import { type AccessEntry, type Deletion, type FileVersion, readPath } from './files.js'
import { hasTexts } from './has-members.js'
import { entriesOf, type ListOptions } from './pages.js'
import { type Answer, type CallOptions, call, type Input, type Service } from './service.js'
import type { UploadSource } from './source.js'
import { type UploadOptions, uploadForm } from './upload.js'

export type RecordEntry = Answer<'GET /api/files/medical-records/{file_id}/metadata'>
export type UploadedRecord = Answer<'POST /api/files/upload/medical-record'>
export type Grant = Answer<'GET /api/files/medical-records/{file_id}/grants'>['grants'][number]
export type RecordType = Answer<'GET /api/medical-record-types'>['types'][number]
export type RecordChanges = Input<'PATCH /api/files/medical-records/{file_id}/metadata'>['body']
/** Whom to share with, and what they may. */
export type GrantWish = Input<'POST /api/files/medical-records/{file_id}/grants'>['body']

export interface RecordUploadOptions extends UploadOptions {
  readonly patientId: string
  readonly medicalRecordTypeId: string
}

export interface RecordListOptions extends ListOptions {
  readonly patientId?: string | undefined
  readonly medicalRecordTypeId?: string | undefined
  readonly from?: Date | undefined
  readonly to?: Date | undefined
}

export type Records = ReturnType<typeof recordsOf>

/**
 * Medical records the caller may open. Every call throws `StrongroomError` where the service refuses,
 * `ConnectionError` where it is not reached, and the signal's reason.
 */
export function recordsOf(service: Service) {
  const at = (fileId: string) => ({ path: { file_id: fileId } })
  return {
    /** By a clinician who is assigned to the patient. */
    upload: (
      source: UploadSource,
      { patientId, medicalRecordTypeId, ...options }: RecordUploadOptions,
    ): Promise<UploadedRecord> =>
      uploadForm(service, source, {
        path: '/api/files/upload/medical-record',
        fields: { patient_id: patientId, medical_record_type_id: medicalRecordTypeId },
        options,
        answerIn: (body) =>
          hasTexts(body, ['file_id', 'sha256']) ? (body as UploadedRecord) : undefined,
      }),

    download: (fileId: string, options: DownloadOptions = {}): Promise<Download> => {
      const path = readPath('/api/files/medical-records/{file_id}/download', fileId, options)
      return download(
        service,
        () => Promise.resolve({ url: service.origin + path, withToken: true }),
        options,
      )
    },

    /** Newest first. */
    list: (options: RecordListOptions = {}): AsyncGenerator<RecordEntry, void> => {
      const filter = {
        patient_id: options.patientId,
        type: options.medicalRecordTypeId,
        from: options.from?.toISOString(),
        to: options.to?.toISOString(),
      }
      return entriesOf(
        options,
        (page) =>
          call(
            service,
            'GET /api/files/medical-records',
            { query: { ...page, ...filter } },
            options,
          ),
        ({ records }) => records,
      )
    },

    /** The types of records there are. */
    types: async (options?: CallOptions): Promise<readonly RecordType[]> =>
      (await call(service, 'GET /api/medical-record-types', {}, options)).types,

    metadata: (fileId: string, options?: CallOptions): Promise<RecordEntry> =>
      call(service, 'GET /api/files/medical-records/{file_id}/metadata', at(fileId), options),

    update: (fileId: string, changes: RecordChanges, options?: CallOptions): Promise<RecordEntry> =>
      call(
        service,
        'PATCH /api/files/medical-records/{file_id}/metadata',
        { ...at(fileId), body: changes },
        options,
      ),

    versions: async (fileId: string, options?: CallOptions): Promise<readonly FileVersion[]> => {
      const operation = 'GET /api/files/medical-records/{file_id}/versions'
      return (await call(service, operation, at(fileId), options)).versions
    },

    delete: (fileId: string, options?: CallOptions): Promise<Deletion> =>
      call(service, 'DELETE /api/files/medical-records/{file_id}/delete', at(fileId), options),

    restore: (fileId: string, options?: CallOptions) =>
      call(service, 'POST /api/files/medical-records/{file_id}/restore', at(fileId), options),

    /** Gives a person access, or changes what they were given: repeated it is as done once. */
    share: (fileId: string, grant: GrantWish, options?: CallOptions): Promise<Grant> =>
      call(
        service,
        'POST /api/files/medical-records/{file_id}/grants',
        { ...at(fileId), body: grant },
        options,
      ),

    revoke: (fileId: string, userId: string, options?: CallOptions) =>
      call(
        service,
        'DELETE /api/files/medical-records/{file_id}/grants/{user_id}',
        { path: { file_id: fileId, user_id: userId } },
        options,
      ),

    /** Who has access. The service gives them in one piece. */
    grants: (fileId: string, options: CallOptions = {}): AsyncGenerator<Grant, void> =>
      entriesOf(
        options,
        async () => {
          const operation = 'GET /api/files/medical-records/{file_id}/grants'
          return { ...(await call(service, operation, at(fileId), options)), next_cursor: null }
        },
        ({ grants }) => grants,
      ),

    /** Every access to a record, for its patient, newest first. */
    accessLog: (fileId: string, options: ListOptions = {}): AsyncGenerator<AccessEntry, void> => {
      const operation = 'GET /api/files/medical-records/{file_id}/access-log'
      return entriesOf(
        options,
        (query) => call(service, operation, { ...at(fileId), query }, options),
        ({ entries }) => entries,
      )
    },

    /** Every access to any of the caller's own records as a patient, refused ones too, newest first. */
    myAccessLog: (options: ListOptions = {}): AsyncGenerator<AccessEntry, void> =>
      entriesOf(
        options,
        (query) => call(service, 'GET /api/patients/me/access-log', { query }, options),
        ({ entries }) => entries,
      ),
  }
}
