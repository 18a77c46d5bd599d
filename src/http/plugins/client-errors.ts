import { randomUUID } from 'node:crypto'
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorCode } from '../../errors/error-codes.js'
import { StrongroomError } from '../../errors/strongroom-error.js'
import type { App } from '../app-type.js'
import { commonHeaders } from './common-headers.js'
import { problemDocument, problemType } from './problem.js'

const answering = new WeakMap<Socket, ServerResponse>()

/** Remembers which answer is under way on a connection, for `answerClientError`. */
export function registerClientErrors(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    answering.set(request.raw.socket, reply.raw)
    done()
  })
}

const codes = new Map<unknown, ErrorCode>([
  ['HPE_HEADER_OVERFLOW', 'header_too_large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request_timeout'],
])

/** Answers what is no HTTP request, by hand, as there is no request to answer; then ends the connection. */
export function answerClientError(error: Error & { code?: unknown }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswered(socket)) {
    socket.destroy()
    return
  }
  const problem = new StrongroomError(codes.get(error.code) ?? 'bad_request')
  const id = randomUUID()
  const document = problemDocument(problem, id)
  const body = JSON.stringify(document)
  const headers = {
    ...commonHeaders,
    'x-request-id': id,
    'content-type': problemType,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const { status } = document
  const start = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`
  socket.end(`${[start, ...lines].join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

// Written into an answer under way, ours would look like its content.
function isAnswered(socket: Socket): boolean {
  const response = answering.get(socket)
  return response !== undefined && response.headersSent && !response.writableFinished
}
