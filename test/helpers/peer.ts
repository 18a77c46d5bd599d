import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** A request as it came, its body whole. */
export interface PeerRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface PeerAnswer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A server on a real socket that stands in for one that does not run here. */
export interface Peer {
  readonly origin: string
  /** How many requests have come. */
  asked(): number
  /**
   * Put between: what it gives is answered in place of the truth, `hang` is never answered, undefined
   * lets the truth through. Told how many requests came since it was set, from 1.
   */
  interfere(how: ((nth: number) => PeerAnswer | 'hang' | undefined) | undefined): void
  /** Nobody listens any more, and connections are reset. */
  stop(): Promise<void>
  /** Listens again, on the same port. */
  start(): Promise<void>
}

export async function startPeer(answer: (request: PeerRequest) => PeerAnswer): Promise<Peer> {
  let total = 0
  let since = 0
  let interference: Parameters<Peer['interfere']>[0]
  const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request)
    total += 1
    since += 1
    const put = interference?.(since)
    if (put === 'hang') return
    const { method = '', url = '', headers } = request
    const { status, body: text, headers: more } = put ?? answer({ method, url, headers, body })
    response.writeHead(status, { ...more, 'content-length': Buffer.byteLength(text) }).end(text)
  }
  let port = 0
  let server: Server | undefined
  const start = async () => {
    server = createServer((request, response) => {
      onRequest(request, response).catch(() => response.destroy())
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    port = address.port
  }
  await start()
  return {
    origin: `http://127.0.0.1:${port}`,
    asked: () => total,
    interfere: (how) => {
      interference = how
      since = 0
    },
    stop: async () => {
      if (server?.listening !== true) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    start,
  }
}
