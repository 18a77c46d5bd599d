import { type DirectUploadOptions, uploadDirectly } from './direct-upload.js'
import { type Download, type DownloadOptions, download } from './download.js'
import { entriesOf, type ListOptions } from './pages.js'
import {
  type PartsSource,
  type PartsUpload,
  type PartsUploadOptions,
  uploadInParts,
} from './parts-upload.js'
import { type Answer, type CallOptions, call, type Input, type Service } from './service.js'
import type { UploadSource } from './source.js'

export type DocumentEntry = Answer<'POST /api/docs/confirm'>
export type PresignWish = Input<'POST /api/docs/presign-upload'>['body']
export type PresignedUpload = Answer<'POST /api/docs/presign-upload'>
export type ConfirmWish = Input<'POST /api/docs/confirm'>['body']

export interface DocumentListOptions extends ListOptions {
  readonly patientId?: string | undefined
  readonly clinicId?: string | undefined
}

export type DocumentDownloadOptions = Omit<DownloadOptions, 'view' | 'version'>

export type Documents = ReturnType<typeof documentsOf>

/** Documents whose bytes are sent to a URL of their own. */
export function documentsOf(service: Service) {
  const urlOf = (id: string, options?: CallOptions) =>
    call(service, 'GET /api/docs/{id}/download', { path: { id }, query: {} }, options)
  return {
    /** Asks for a place, sends the bytes there, and confirms them. */
    upload: (source: UploadSource, options: DirectUploadOptions): Promise<DocumentEntry> =>
      uploadDirectly(service, source, options),

    /** The same in parts, several at a time: for what is large, or a line that breaks. */
    uploadInParts: (source: PartsSource, options: PartsUploadOptions): Promise<DocumentEntry> =>
      uploadInParts(service, source, options),

    /** What has come of such an upload, while it is not complete. */
    received: (uploadId: string, options?: CallOptions): Promise<PartsUpload> =>
      call(
        service,
        'GET /api/docs/multipart/{upload_id}',
        { path: { upload_id: uploadId } },
        options,
      ),

    /** Gives such an upload up: what came of it is destroyed. */
    abandon: async (uploadId: string, options?: CallOptions): Promise<void> => {
      const path = { upload_id: uploadId }
      const rules = { ...options, repeatable: 'always' } as const
      await call(service, 'DELETE /api/docs/multipart/{upload_id}', { path }, rules)
    },

    /** A place, for who sends the bytes in another way: the URL takes one PUT, without a token. */
    presign: (wish: PresignWish, options?: CallOptions): Promise<PresignedUpload> =>
      call(service, 'POST /api/docs/presign-upload', { body: wish }, options),

    /** Says what was sent to such a place; repeated it is as done once. */
    confirm: (wish: ConfirmWish, options?: CallOptions): Promise<DocumentEntry> =>
      call(service, 'POST /api/docs/confirm', { body: wish }, { ...options, repeatable: 'always' }),

    /** A patient's, or the caller's own of no patient, newest first. */
    list: ({ patientId, clinicId, ...options }: DocumentListOptions = {}) =>
      entriesOf(
        options,
        (page) =>
          call(service, 'GET /api/docs', { query: { ...page, patientId, clinicId } }, options),
        ({ documents }): readonly DocumentEntry[] => documents,
      ),

    /** The bytes, by a ticket of its own for each request. Neither `view` nor a version can be asked for. */
    download: (id: string, options: DocumentDownloadOptions = {}): Promise<Download> => {
      const locate = async () => {
        const { url } = await urlOf(id, options)
        return { url, withToken: false }
      }
      return download(service, locate, options)
    },

    /** A URL that hands the document out without a token, for a while. */
    downloadUrl: urlOf,
  }
}
