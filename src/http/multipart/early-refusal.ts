import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { awaitsContinue } from '../plugins/expect-continue.js'

const drainBytes = 1024 * 1024
const drainMs = 2_000
/** Time for the answer to arrive where the client sends faster than it reads. */
const parkedMs = 1_000

/**
 * Where a request is answered before its body has come, says `Connection: close`, sends the answer at
 * once, and goes on reading, 1 MiB or 2 s at most, before the connection is destroyed: closed at
 * once, the client's unread bytes would make its system throw the answer away (RFC 9112
 * section 9.6), and left open, the server could not stop.
 */
export function registerEarlyRefusal(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (!request.raw.complete) {
      reply.header('connection', 'close')
      if (!awaitsContinue(request)) closeAfterDraining(request.raw)
    }
    done(null, payload)
  })
}

/** Node ends a connection's last response with the socket's `destroySoon`: the drain stands before it. */
function closeAfterDraining(request: IncomingMessage): void {
  const { socket } = request
  const drained = drain(request)
  socket.destroySoon = () => {
    socket.end()
    void drained.then(() => socket.destroy())
  }
}

/** Resolves when the body ended or broke off, or the limits above are reached. */
function drain(request: IncomingMessage): Promise<void> {
  if (request.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    let left = drainBytes
    let timer = setTimeout(finish, drainMs)

    function finish() {
      clearTimeout(timer)
      request.off('data', onData).off('end', finish).off('close', finish).pause()
      resolve()
    }
    function onData(chunk: Buffer) {
      left -= chunk.length
      if (left > 0) return
      request.off('data', onData).pause()
      clearTimeout(timer)
      timer = setTimeout(finish, parkedMs)
    }
    request.unpipe()
    request.on('data', onData).on('end', finish).on('close', finish).resume()
  })
}
