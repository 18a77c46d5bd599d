/**
 * The closed list of error codes and the status each is answered with (RFC 9457 `code`, `title`, `status`).
 * A code is part of the contract: it may be added, never changed in meaning.
 */
export const errorCodes = {
  bad_request: [400, 'The request is not well formed'],
  invalid_field: [400, 'A field is missing or not valid'],
  unknown_field: [400, 'A field is not known here'],
  malformed_multipart: [400, 'The multipart body is not well formed'],
  body_incomplete: [400, 'The body ended before it was complete'],
  file_missing: [400, 'There is no file in the request'],
  too_many_parts: [400, 'The request has too many parts'],
  unauthenticated: [401, 'No valid credentials'],
  token_expired: [401, 'The token has expired'],
  wrong_credentials: [401, 'These credentials are not right'],
  second_factor_needed: [401, 'The code of the second factor is needed'],
  forbidden: [403, 'Not allowed'],
  https_required: [403, 'Only over https'],
  cross_origin: [403, 'Not from a page of this origin'],
  not_acted_for: [403, 'The service may not do this for a person'],
  second_factor_required: [403, 'This takes a second factor at login'],
  not_assigned: [403, 'Not assigned to this patient'],
  patient_cannot_delete: [403, 'A patient cannot delete a medical record'],
  download_not_granted: [403, 'The grant allows viewing, not downloading'],
  emergency_reads_only: [403, 'An emergency access allows reading, nothing else'],
  emergency_over: [403, 'The emergency access has ended'],
  emergency_spent: [403, 'This emergency access opens no more records'],
  sensitive_not_named: [403, 'Not named in the request for emergency access'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'This method is not supported here'],
  request_timeout: [408, 'The request did not arrive in time'],
  upload_idle: [408, 'The upload stalled'],
  duplicate_file: [409, 'These bytes are already stored'],
  duplicate_record: [409, 'This record is already stored'],
  in_progress: [409, 'A request with this Idempotency-Key is in progress'],
  email_taken: [409, 'There is an account of this e-mail'],
  conflict: [409, 'The current state does not allow this'],
  emergency_open: [409, 'An emergency access is open already'],
  person_erased: [409, 'This person’s keys were destroyed'],
  not_uploaded: [409, 'Its bytes have not come'],
  grant_not_revocable: [409, 'This grant cannot be revoked'],
  ticket_over: [410, 'This link has ended'],
  precondition_failed: [412, 'A precondition does not hold'],
  file_too_large: [413, 'The file is too large'],
  body_too_large: [413, 'The body is too large'],
  quota_exceeded: [413, 'The storage quota is used up'],
  weak_password: [400, 'The password is too weak'],
  type_not_allowed: [415, 'This type of file is not accepted'],
  type_mismatch: [415, 'The content is not of the declared type'],
  unsupported_media_type: [415, 'The request has an unsupported media type'],
  range_not_satisfiable: [416, 'The range lies outside the file'],
  wrong_host: [421, 'This is not a host of that name'],
  digest_mismatch: [422, 'The content does not have the digest given'],
  content_mismatch: [422, 'The content is not what was asked for'],
  idempotency_mismatch: [422, 'This Idempotency-Key was used with another content'],
  legal_hold: [423, 'Under legal hold'],
  too_many_requests: [429, 'Too many requests'],
  header_too_large: [431, 'The request headers are too large'],
  internal: [500, 'Something went wrong here'],
  damaged: [500, 'Something went wrong here'],
  too_many_uploads: [503, 'Too many uploads at this moment'],
  keys_unavailable: [503, 'The service cannot answer at this moment'],
  database_unavailable: [503, 'The service cannot answer at this moment'],
  database_moved: [503, 'The service is about to start on another database'],
  commit_unknown: [503, 'The service cannot answer at this moment'],
  storage_unavailable: [503, 'The service cannot answer at this moment'],
  audit_unavailable: [503, 'The service cannot answer at this moment'],
  identity_unavailable: [503, 'The service cannot answer at this moment'],
  assignments_unavailable: [503, 'The service cannot answer at this moment'],
  metrics_unavailable: [503, 'The service cannot answer at this moment'],
  shutting_down: [503, 'The service is stopping'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ErrorCode = keyof typeof errorCodes

/** HTTP status of a code. */
export function statusOf(code: ErrorCode): number {
  return errorCodes[code][0]
}

/** Title of a code: fixed text, free of request data. */
export function titleOf(code: ErrorCode): string {
  return errorCodes[code][1]
}
