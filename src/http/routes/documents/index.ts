import type { AbortParts } from '../../../documents/abort-parts.js'
import type { AskForUpload } from '../../../documents/ask-for-upload.js'
import type { CompleteParts } from '../../../documents/complete-parts.js'
import type { ConfirmUpload } from '../../../documents/confirm-upload.js'
import type { ListDocuments } from '../../../documents/list-documents.js'
import type { PartsUploads } from '../../../documents/parts-upload.js'
import type { TicketBook } from '../../../tickets/ticket-book.js'
import type { App } from '../../app-type.js'
import { confirmRoute } from './confirm.js'
import { downloadDocumentRoute } from './download.js'
import { registerPartsRoutes } from './in-parts.js'
import { listDocumentsRoute } from './list.js'
import { plainPresignUploadRoute, presignUploadRoute } from './presign-upload.js'

/** What the calls of family C need. */
export interface DocumentRouteServices {
  readonly documents: {
    readonly ask: AskForUpload
    readonly confirm: ConfirmUpload
    readonly list: ListDocuments
    readonly parts: PartsUploads & { readonly complete: CompleteParts; readonly abort: AbortParts }
  }
  readonly tickets: { readonly book: TicketBook }
}

/** Family C: documents whose bytes go to a URL of their own. */
export function registerDocumentRoutes(
  app: App,
  { documents, tickets }: DocumentRouteServices,
): void {
  presignUploadRoute(app, documents)
  plainPresignUploadRoute(app, documents)
  confirmRoute(app, documents)
  registerPartsRoutes(app, documents.parts)
  listDocumentsRoute(app, documents)
  downloadDocumentRoute(app, { tickets: tickets.book })
}
