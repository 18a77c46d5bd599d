import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { type ClientLimits, watchClient } from '../multipart/client-watch.js'
import { sendContinue } from '../plugins/expect-continue.js'

/**
 * A request's body as it comes, for whoever reads it once: nothing is kept, and the client waits while the reader
 * does. Asks for it where the client waits to be asked. Closed early it leaves the rest unread.
 * Throws `upload_idle`, `body_incomplete`.
 */
export async function* receiveBody(
  request: FastifyRequest,
  limits: ClientLimits,
): AsyncGenerator<Buffer, void> {
  const { raw } = request
  const chunks = (raw as Readable).iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>
  const watch = watchClient(raw, limits)
  sendContinue(request)
  try {
    for (;;) {
      const step = await watch.during(whole(chunks.next()))
      if (step.done === true) break
      yield step.value
    }
    if (!raw.complete) throw new StrongroomError('body_incomplete')
  } finally {
    watch.stop()
    await chunks.return?.()
  }
}

/** A connection that ends in mid-body is no fault of ours. */
async function whole<T>(step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (cause) {
    throw new StrongroomError('body_incomplete', { cause })
  }
}
