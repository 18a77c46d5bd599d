import { connect, type Fetch } from './connect.js'
import type { Form } from './form.js'
import type { Sha256 } from './sha256.js'
import type { Transmission, Transmit } from './transmit.js'

interface Use {
  readonly fetch: Fetch
  readonly makeSha256: () => Sha256
}

/** Bytes given to the connection at a time, and so the steps of progress. */
const STEP_BYTES = 256 * 1024

/** `fetch` as the specification has it; the types of browsers do not know `duplex` yet. */
interface StreamingInit extends RequestInit {
  readonly duplex: 'half'
}

/**
 * Sends a stream as the request's body, and the digest after it: one pass, and nothing held. For Node; browsers take
 * a stream as a body only over HTTP/2, and most not at all.
 */
export function transmitByFetch({ fetch, makeSha256 }: Use): Transmit {
  return async (transmission) => {
    const { method, url, headers, form, signal } = transmission
    const body = bodyOf(transmission, makeSha256)
    const init: StreamingInit = {
      ...{ method, body: body.stream, duplex: 'half', redirect: 'error' },
      headers: { ...headers, ...lengthHeader(transmission), ...typeHeader(form) },
      signal: signal ?? null,
    }
    try {
      return await connect(fetch, url, init)
    } catch (error) {
      body.throwIfFailed()
      throw error
    } finally {
      // Answered early, or not at all: the rest is not wanted.
      body.close()
    }
  }
}

const typeHeader = (form: Form | undefined) =>
  form === undefined ? {} : { 'content-type': form.contentType }

/** Where it is known, it is said: some proxies and stores take nothing else. */
function lengthHeader({ source, form, sha256 }: Transmission): Record<string, string> {
  if (source.size === undefined) return {}
  const known = sha256 === false ? undefined : sha256
  const made = sha256 === undefined ? '0'.repeat(64) : undefined
  const around = (form?.before(known).length ?? 0) + (form?.after(made).length ?? 0)
  return { 'content-length': String(source.size + around) }
}

/** What goes over the wire, pulled as the connection takes it. */
function bodyOf(transmission: Transmission, makeSha256: () => Sha256) {
  const pieces = wireBytes(transmission, makeSha256)
  let isClosed = false
  let failure: { readonly error: Error } | undefined
  const close = () => {
    if (isClosed) return
    isClosed = true
    // Of no interest to anybody any more, how a stream ends that was given up.
    void pieces.return().catch(() => undefined)
  }
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        try {
          const step = await pieces.next()
          if (isClosed) return
          if (step.done === true) controller.close()
          else controller.enqueue(step.value as Uint8Array<ArrayBuffer>)
        } catch (error) {
          failure = { error: error as Error }
          controller.error(error)
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  )
  return {
    stream,
    close,
    /** What the source threw: it tells more than what the connection made of it. */
    throwIfFailed: () => {
      if (failure !== undefined) throw failure.error
    },
  }
}

async function* wireBytes(
  { source, form, sha256: given, onSent, onRead }: Transmission,
  makeSha256: () => Sha256,
): AsyncGenerator<Uint8Array, void> {
  const known = given === false ? undefined : given
  if (form !== undefined) yield form.before(known)
  const hash = given === undefined ? makeSha256() : undefined
  let bytes = 0
  onSent(bytes)
  for await (const piece of source.open()) {
    const chunk: unknown = piece
    if (!(chunk instanceof Uint8Array)) throw new TypeError('A stream must give bytes')
    hash?.update(chunk)
    for (let at = 0; at < chunk.length; at += STEP_BYTES) {
      const step = chunk.subarray(at, at + STEP_BYTES)
      yield step
      // Asked for more: the connection has taken it.
      bytes += step.length
      onSent(bytes)
    }
  }
  const made = hash?.hex()
  onRead({ bytes, sha256: made ?? known })
  if (form !== undefined) yield form.after(made)
}
