import { type ErrorCode, titleOf } from './error-codes.js'

export interface ErrorFacts {
  /** Sentence for the caller. Never a file name, a person's name, an e-mail or content. */
  detail?: string
  /** Members added to the problem document, e.g. `file_id` of a duplicate. Ids and numbers only. */
  extra?: Readonly<Record<string, string | number>>
  /** Ids for the log line, never answered to the caller. */
  context?: Readonly<Record<string, string | number | undefined>>
  /** Seconds the caller is asked to wait (`Retry-After`). */
  retryAfter?: number
  cause?: unknown
}

/**
 * The one error class. What a caller may know is in `code`, `detail` and `extra`; what an operator
 * may know is in `context` and `cause`.
 */
export class StrongroomError extends Error {
  override readonly name = 'StrongroomError'
  readonly detail: string | undefined
  readonly extra: Readonly<Record<string, string | number>>
  readonly context: Readonly<Record<string, string | number | undefined>>
  readonly retryAfter: number | undefined

  constructor(
    readonly code: ErrorCode,
    facts: ErrorFacts = {},
  ) {
    super(facts.detail ?? titleOf(code), facts.cause === undefined ? {} : { cause: facts.cause })
    this.detail = facts.detail
    this.extra = facts.extra ?? {}
    this.context = facts.context ?? {}
    this.retryAfter = facts.retryAfter
  }
}

/** Whether `error` is ours, and, where codes are given, one of these. */
export function isStrongroomError(error: unknown, ...codes: ErrorCode[]): error is StrongroomError {
  return error instanceof StrongroomError && (codes.length === 0 || codes.includes(error.code))
}
