/** Whether the connection or the content failed, or the service said no: each has a class of its own. */

export interface ProblemFacts {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail?: string | undefined
  readonly requestId?: string | undefined
  readonly retryAfter?: number | undefined
  readonly extra?: Readonly<Record<string, unknown>> | undefined
}

/**
 * The service answered, with an error (RFC 9457). What answered in its place, a proxy say, with no problem
 * document has the code `unexpected_answer`.
 */
export class StrongroomError extends Error {
  override readonly name = 'StrongroomError'
  /** HTTP status. */
  readonly status: number
  /** A stable word of a closed list: what programs decide by. */
  readonly code: string
  /** To find the request in the service's log. */
  readonly requestId: string | undefined
  /** Seconds, where the service says when to come again. */
  readonly retryAfter: number | undefined
  readonly detail: string | undefined
  /** Further members of the document: `file_id` with `duplicate_file`, `field` with `invalid_field`. */
  readonly extra: Readonly<Record<string, unknown>>

  constructor(facts: ProblemFacts) {
    super(facts.detail === undefined ? facts.title : `${facts.title}: ${facts.detail}`)
    this.status = facts.status
    this.code = facts.code
    this.requestId = facts.requestId
    this.retryAfter = facts.retryAfter
    this.detail = facts.detail
    this.extra = facts.extra ?? {}
  }
}

/** No answer came, or it broke off; `cause` has what the runtime says. Whether the call was done is not known. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'

  constructor(options: { readonly cause?: unknown } = {}) {
    super('The connection to the service failed', options)
  }
}

/**
 * `digest`: what came or was stored is not what was sent. `changed`: the file has another version than when its
 * download began. `length`: more or fewer bytes than were announced.
 */
export type IntegrityReason = 'digest' | 'changed' | 'length'

const integrityTexts: Readonly<Record<IntegrityReason, string>> = {
  digest: 'The bytes do not have the digest that was given',
  changed: 'The file changed while it was read',
  length: 'The number of bytes is not the one announced',
}

/** The bytes are not what they should be: do not use them. */
export class IntegrityError extends Error {
  override readonly name = 'IntegrityError'
  readonly reason: IntegrityReason
  /** Of an upload that was answered with another digest: the file is there. */
  readonly fileId: string | undefined

  constructor(reason: IntegrityReason, fileId?: string) {
    super(integrityTexts[reason])
    this.reason = reason
    this.fileId = fileId
  }
}
