import { ConnectionError } from './errors.js'

export type Fetch = typeof globalThis.fetch

/** `fetch`, with connection errors told apart. Throws `ConnectionError` and the signal's reason. */
export async function connect(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    init.signal?.throwIfAborted()
    throw new ConnectionError({ cause })
  }
}

/** The whole text of an answer. Throws as `connect` does. */
export async function textOf(response: Response, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await response.text()
  } catch (cause) {
    signal?.throwIfAborted()
    throw new ConnectionError({ cause })
  }
}
