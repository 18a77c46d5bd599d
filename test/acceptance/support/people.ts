import type { Answer, Call } from './http.js'
import { fields, filePart, multipart, type Part } from './multipart.js'
import type { Server } from './server.js'
import type { Claims } from './tokens.js'

type Headers = Readonly<Record<string, string>>

export interface RecordFields {
  readonly patient_id: string
  readonly medical_record_type_id: string
}

/** Someone with a token, and what they do. */
export interface Person {
  readonly id: string
  readonly token: string
  call(path: string, options?: Call): Promise<Answer>
  get(path: string, headers?: Headers): Promise<Answer>
  head(path: string, headers?: Headers): Promise<Answer>
  post(path: string, json?: unknown, headers?: Headers): Promise<Answer>
  patch(path: string, json: unknown): Promise<Answer>
  put(path: string, json: unknown): Promise<Answer>
  delete(path: string): Promise<Answer>
  /** Sends parts as a form. */
  form(path: string, parts: readonly Part[], options?: Call): Promise<Answer>
  /** Uploads a general file; the answer is whatever it is. */
  upload(data: Buffer, facts?: Partial<Part>, more?: readonly Part[]): Promise<Answer>
  /** Uploads a general file and gives its id. */
  file(data: Buffer, facts?: Partial<Part>): Promise<string>
  /** Uploads a medical record; the answer is whatever it is. */
  uploadRecord(data: Buffer, record: RecordFields, facts?: Partial<Part>): Promise<Answer>
  /** Uploads a medical record and gives its file id. */
  record(data: Buffer, record: RecordFields): Promise<string>
}

export const uploadPath = '/api/files/upload'
export const recordUploadPath = '/api/files/upload/medical-record'
export const filePath = (id: string) => `/api/files/${id}`
export const recordPath = (id: string) => `/api/files/medical-records/${id}`

/** The file id of an upload that must have succeeded. */
export function idOf(answer: Answer): string {
  const id = answer.body.file_id
  if (answer.status !== 201 || id === undefined) {
    throw new Error(`Not uploaded: ${answer.status} ${answer.text.slice(0, 500)}`)
  }
  return id
}

/** The person `id` as `server` knows them; `claims` may name a role. */
export function personOf(server: Server, id: string, claims: Claims = {}): Person {
  return callerOf(server, id, server.tokenOf(id, claims))
}

/** Someone without a token. */
export const visitorOf = (server: Server): Person => callerOf(server, 'nobody', undefined)

/** The person `id`, for whom the service of that token acts. */
export function actedFor(server: Server, id: string, token: string): Person {
  return callerOf(server, id, token, { 'x-on-behalf-of': id })
}

function callerOf(
  server: Server,
  id: string,
  token: string | undefined,
  always: Headers = {},
): Person {
  const call = (path: string, options: Call = {}) =>
    server.call(path, { token, ...options, headers: { ...always, ...options.headers } })
  const form = (path: string, parts: readonly Part[], options: Call = {}) => {
    const { headers, body } = multipart(parts)
    const all = { ...headers, ...options.headers }
    return call(path, { method: 'POST', ...options, headers: all, body })
  }
  const upload = (data: Buffer, facts: Partial<Part> = {}, more: readonly Part[] = []) =>
    form(uploadPath, [...more, filePart(data, facts)])
  const uploadRecord = (data: Buffer, record: RecordFields, facts: Partial<Part> = {}) =>
    form(recordUploadPath, [...fields({ ...record }), filePart(data, facts)])
  return {
    id,
    token: token ?? '',
    call,
    form,
    upload,
    uploadRecord,
    get: (path, headers = {}) => call(path, { headers }),
    head: (path, headers = {}) => call(path, { method: 'HEAD', headers }),
    post: (path, json, headers = {}) => call(path, { method: 'POST', json, headers }),
    patch: (path, json) => call(path, { method: 'PATCH', json }),
    put: (path, json) => call(path, { method: 'PUT', json }),
    delete: (path) => call(path, { method: 'DELETE' }),
    file: async (data, facts) => idOf(await upload(data, facts)),
    record: async (data, record) => idOf(await uploadRecord(data, record)),
  }
}

/** Assigns a clinician to a patient; the end of it, where given, as a date and time. */
export async function assign(
  admin: Person,
  clinician: Person,
  patient: Person,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await admin.post('/api/assignments', {
    clinician_id: clinician.id,
    patient_id: patient.id,
    ...more,
  })
  if (answer.status !== 201 && answer.status !== 200) {
    throw new Error(`Not assigned: ${answer.status} ${answer.text}`)
  }
  return answer
}

/** A record type that takes any file, made for the test. */
export async function recordType(
  admin: Person,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const answer = await admin.post('/api/medical-record-types', { name: 'Report', ...more })
  const { id } = answer.body
  if (answer.status !== 201 || id === undefined) {
    throw new Error(`No record type: ${answer.status} ${answer.text}`)
  }
  return id
}
