import { PassThrough } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { StrongroomError } from '../../errors/strongroom-error.js'
import { type ClientLimits, watchClient } from '../multipart/client-watch.js'
import { sendContinue } from '../plugins/expect-continue.js'

/** Bytes between socket and reader. */
const buffered = 128 * 1024

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
  // Between the two, so that giving up is possible while a read waits, and leaves the request as it is.
  const through = new PassThrough({ highWaterMark: buffered })
  const cut = () => {
    if (!raw.complete) through.destroy(new StrongroomError('body_incomplete'))
  }
  if (raw.destroyed && !raw.complete) throw new StrongroomError('body_incomplete')
  raw.on('close', cut)
  const watch = watchClient(raw, limits)
  sendContinue(request)
  raw.pipe(through)
  const chunks = through.iterator() as AsyncIterator<Buffer>
  try {
    for (;;) {
      const step = await watch.during(chunks.next())
      if (step.done === true) break
      yield step.value
    }
    if (!raw.complete) throw new StrongroomError('body_incomplete')
  } finally {
    watch.stop()
    raw.off('close', cut)
    raw.unpipe(through)
    through.destroy()
  }
}
