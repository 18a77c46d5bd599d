import { ConnectionError } from './errors.js'
import type { Sha256 } from './sha256.js'
import type { Source } from './source.js'
import type { Transmission, Transmit } from './transmit.js'

interface Use {
  readonly makeSha256: () => Sha256
}

/**
 * Sends a Blob by `XMLHttpRequest`, the one way in browsers to upload over any HTTP version and to hear how far it
 * is. The browser reads the Blob from where it lies; the digest is made beforehand, slice by slice, once for all
 * attempts.
 */
export function transmitByXhr({ makeSha256 }: Use): Transmit {
  const known = new WeakMap<Source, string>()

  async function digestOf({ source, sha256, signal }: Transmission): Promise<string | undefined> {
    if (sha256 !== undefined) return sha256 === false ? undefined : sha256
    const made = known.get(source) ?? (await hashOf(source, makeSha256(), signal))
    known.set(source, made)
    return made
  }

  return async (transmission) => {
    const { source, form, onRead } = transmission
    const { blob } = source
    if (blob === undefined) throw new TypeError('A browser uploads a Blob, a File or bytes')
    const sha256 = await digestOf(transmission)
    onRead({ bytes: blob.size, sha256 })
    if (form === undefined) return await send(transmission, blob, 0)
    const before = form.before(sha256) as Uint8Array<ArrayBuffer>
    const after = form.after(undefined) as Uint8Array<ArrayBuffer>
    return await send(transmission, new Blob([before, blob, after]), before.length)
  }
}

async function hashOf(source: Source, hash: Sha256, signal: AbortSignal | undefined) {
  for await (const piece of source.open()) {
    signal?.throwIfAborted()
    hash.update(piece)
  }
  return hash.hex()
}

/** `offset`: bytes of `body` before the source's first. */
function send(
  { method, url, headers, source, form, signal, onSent }: Transmission,
  body: Blob,
  offset: number,
): Promise<Response> {
  const request = new XMLHttpRequest()
  request.open(method, url)
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
  if (form !== undefined) request.setRequestHeader('content-type', form.contentType)
  const size = source.size ?? 0
  onSent(0)
  request.upload.onprogress = ({ loaded }) => {
    onSent(Math.min(Math.max(loaded - offset, 0), size))
  }
  const abort = () => {
    request.abort()
  }
  return new Promise<Response>((resolve, reject) => {
    request.onload = () => {
      resolve(responseOf(request))
    }
    request.onerror = () => {
      reject(new ConnectionError())
    }
    request.onabort = () => {
      reject(signal?.aborted === true ? (signal.reason as Error) : new ConnectionError())
    }
    signal?.addEventListener('abort', abort)
    if (signal?.aborted === true) reject(signal.reason as Error)
    else request.send(body)
  }).finally(() => {
    signal?.removeEventListener('abort', abort)
  })
}

function responseOf(request: XMLHttpRequest): Response {
  const lines = request.getAllResponseHeaders().split('\r\n')
  const headers = lines.flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()]]
  })
  const { status } = request
  const text = status === 204 || status === 205 || status === 304 ? null : request.responseText
  return new Response(text, { status, headers })
}
