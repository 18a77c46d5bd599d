export type { Client, ClientOptions } from './client.js'
export type { Fetch } from './connect.js'
export type { DirectUploadOptions } from './direct-upload.js'
export type {
  ConfirmWish,
  DocumentDownloadOptions,
  DocumentEntry,
  DocumentListOptions,
  Documents,
  PresignedUpload,
  PresignWish,
} from './documents.js'
export type { Download, DownloadOptions, DownloadProgress, Range } from './download.js'
export { ConnectionError, IntegrityError, type IntegrityReason, StrongroomError } from './errors.js'
export type {
  AccessEntry,
  Deletion,
  FileChanges,
  FileEntry,
  FileListOptions,
  Files,
  FileVersion,
  UploadedFile,
} from './files.js'
export type { Operations } from './openapi.js'
export type { ListOptions } from './pages.js'
export type { PartsSource, PartsUpload, PartsUploadOptions } from './parts-upload.js'
export type {
  Grant,
  GrantWish,
  RecordChanges,
  RecordEntry,
  RecordListOptions,
  Records,
  RecordType,
  RecordUploadOptions,
  UploadedRecord,
} from './records.js'
export type { RetryOptions } from './retry.js'
export type { CallOptions } from './service.js'
export type { UploadSource } from './source.js'
export type { Ticket, Tickets, TicketWish } from './tickets.js'
export type { TransferOptions, UploadOptions, UploadProgress } from './upload.js'
export {
  verifyWebhook,
  WebhookError,
  type WebhookEvent,
  type WebhookReason,
  type WebhookRequest,
} from './webhook.js'
