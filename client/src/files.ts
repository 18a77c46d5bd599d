import { type Download, type DownloadOptions, download } from './download.js'
import { hasTexts } from './has-members.js'
import { entriesOf, type ListOptions } from './pages.js'
import {
  type Answer,
  type CallOptions,
  call,
  type Input,
  pathOf,
  queryOf,
  type Service,
} from './service.js'
import type { UploadSource } from './source.js'
import { type UploadOptions, uploadForm } from './upload.js'

export type FileEntry = Answer<'GET /api/files/{file_id}/metadata'>
export type UploadedFile = Answer<'POST /api/files/upload'>
export type FileVersion = Answer<'GET /api/files/{file_id}/versions'>['versions'][number]
export type AccessEntry = Answer<'GET /api/files/{file_id}/access-log'>['entries'][number]
export type Deletion = Answer<'DELETE /api/files/{file_id}/delete'>
export type FileChanges = Input<'PATCH /api/files/{file_id}/metadata'>['body']

export interface FileListOptions extends ListOptions {
  /** Those that were deleted and can be restored. */
  readonly deleted?: boolean | undefined
}

export type Files = ReturnType<typeof filesOf>

/**
 * The caller's own files. Every call throws `StrongroomError` where the service refuses, `ConnectionError` where it
 * is not reached, and the signal's reason.
 */
export function filesOf(service: Service) {
  return {
    /** `duplicate_file` where these bytes are a live file of the caller's: `extra.file_id` says which. */
    upload: (source: UploadSource, options: UploadOptions = {}): Promise<UploadedFile> =>
      uploadForm(service, source, {
        ...{ path: '/api/files/upload', fields: {}, options },
        answerIn: (body) =>
          hasTexts(body, ['file_id', 'sha256']) ? (body as UploadedFile) : undefined,
      }),

    download: (fileId: string, options: DownloadOptions = {}): Promise<Download> => {
      const url = service.origin + readPath('/api/files/{file_id}', fileId, options)
      return download(service, () => Promise.resolve({ url, withToken: true }), options)
    },

    /** Newest first. */
    list: ({ deleted, ...options }: FileListOptions = {}): AsyncGenerator<FileEntry, void> =>
      entriesOf(
        options,
        (page) => call(service, 'GET /api/files/user', { query: { ...page, deleted } }, options),
        ({ files }) => files,
      ),

    /** Whether the caller has a file of these bytes already. */
    check: (facts: { readonly sha256: string; readonly size: number }, options?: CallOptions) =>
      call(service, 'POST /api/files/check', { body: facts }, { ...options, repeatable: 'always' }),

    metadata: (fileId: string, options?: CallOptions): Promise<FileEntry> =>
      call(service, 'GET /api/files/{file_id}/metadata', { path: { file_id: fileId } }, options),

    update: (fileId: string, changes: FileChanges, options?: CallOptions): Promise<FileEntry> =>
      call(
        service,
        'PATCH /api/files/{file_id}/metadata',
        { path: { file_id: fileId }, body: changes },
        options,
      ),

    versions: async (fileId: string, options?: CallOptions): Promise<readonly FileVersion[]> => {
      const path = { file_id: fileId }
      return (await call(service, 'GET /api/files/{file_id}/versions', { path }, options)).versions
    },

    delete: (fileId: string, options?: CallOptions): Promise<Deletion> =>
      call(service, 'DELETE /api/files/{file_id}/delete', { path: { file_id: fileId } }, options),

    restore: (fileId: string, options?: CallOptions): Promise<FileEntry> =>
      call(service, 'POST /api/files/{file_id}/restore', { path: { file_id: fileId } }, options),

    /** Every access to a file, newest first. */
    accessLog: (fileId: string, options: ListOptions = {}): AsyncGenerator<AccessEntry, void> => {
      const path = { file_id: fileId }
      return entriesOf(
        options,
        (query) => call(service, 'GET /api/files/{file_id}/access-log', { path, query }, options),
        ({ entries }) => entries,
      )
    },
  }
}

/** A path that gives bytes, with what is asked for. */
export function readPath(
  pattern: string,
  fileId: string,
  { view, version }: Pick<DownloadOptions, 'view' | 'version'>,
): string {
  return pathOf(pattern, { file_id: fileId }) + queryOf({ view, version })
}
