import type { Test } from 'tap'
import type { Answer } from './http.js'

/** An error in the form the contract promises (RFC 9457), with this status and, where given, code. */
export function isProblem(t: Test, answer: Answer, status: number, code?: string): void {
  const said = `${answer.status} ${answer.text.slice(0, 300)}`
  t.equal(answer.status, status, `is answered ${status}: ${said}`)
  t.match(answer.headers['content-type'], /^application\/problem\+json/, 'is a problem document')
  const { body } = answer
  t.equal(body.status, status, 'the document repeats the status')
  t.type(body.type, 'string', 'has a type')
  t.type(body.title, 'string', 'has a title')
  t.match(body.code, /^[a-z]+(_[a-z]+)*$/, 'has a code')
  t.equal(body.request_id, answer.headers['x-request-id'], 'names the request')
  if (code !== undefined) t.equal(body.code, code, `has the code ${code}`)
}

/** An answer of this status whose body, where it has one, says more on failure. */
export function hasStatus(t: Test, answer: Answer, status: number, what = ''): void {
  t.equal(answer.status, status, `${what} is answered ${status}: ${answer.text.slice(0, 300)}`)
}

/** A file's bytes, whole and unchanged. */
export function hasBytes(t: Test, answer: Answer, data: Buffer): void {
  hasStatus(t, answer, 200, 'the download')
  t.equal(answer.headers['content-length'], String(data.length), 'says its length')
  t.ok(answer.bytes.equals(data), 'has the bytes that were sent')
}
