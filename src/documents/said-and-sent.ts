import { StrongroomError } from '../errors/strongroom-error.js'
import { verifyDigests } from '../files/content-digest.js'
import type { SealedUpload } from '../files/seal-incoming.js'
import type { DocumentFacts } from './document-facts.js'
import type { IncomingDocument } from './receive-upload.js'

type Sent = Pick<IncomingDocument, 'contentType' | 'key' | 'length' | 'sha256'>

/** The key it was asked for by, where what comes names one. @throws StrongroomError `content_mismatch` */
export function checkNamedKey(key: string, sent: Pick<Sent, 'key'>): void {
  if (sent.key !== undefined && sent.key !== key) throw notAsAsked('key')
}

/**
 * Before any byte is read: what the headers say is what was said beforehand.
 * @throws StrongroomError `content_mismatch`
 */
export function checkHeaders(facts: DocumentFacts, { contentType, length }: Sent): void {
  if (facts.contentType !== '' && contentType !== facts.contentType) {
    throw notAsAsked('Content-Type')
  }
  if (length !== undefined && facts.size !== null && length !== facts.size) {
    throw notAsAsked('Content-Length')
  }
}

/**
 * Once it is sealed: its length and digest are those that were said.
 * @throws StrongroomError `content_mismatch`, `digest_mismatch`
 */
export function checkContent(
  facts: DocumentFacts,
  { sha256 }: Pick<Sent, 'sha256'>,
  sealed: Pick<SealedUpload, 'size' | 'sha256'>,
): void {
  if (facts.size !== null && sealed.size !== facts.size) throw notAsAsked('size')
  const said = facts.sha256 === null ? [] : [Buffer.from(facts.sha256, 'hex')]
  verifyDigests(sealed.sha256, sha256 === undefined ? said : [...said, sha256])
}

export function notAsAsked(what: string): StrongroomError {
  return new StrongroomError('content_mismatch', { detail: `${what}: not what was asked for` })
}
