import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/** What is done to one request instead of passing it on and its answer back. */
export type Fault =
  /** Answered so, and not passed on. */
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** The connection goes before anything is passed on. */
  | { readonly kind: 'drop' }
  /** It goes when so much of the body has been passed on. */
  | { readonly kind: 'cut request'; readonly after: number }
  /** All is passed on, and the answer is not given. */
  | { readonly kind: 'lose answer' }
  /** The answer is cut after so much of its body. */
  | { readonly kind: 'cut answer'; readonly after: number }
  /** The answer stops after so much of its body, and the connection stays. */
  | { readonly kind: 'stall answer'; readonly after: number }
  /** Passed on so much later. */
  | { readonly kind: 'delay'; readonly ms: number }

export interface Asked {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly range: string | undefined
}

export interface FlakyProxy {
  readonly origin: string
  /** Every request that came, in order. */
  readonly asked: Asked[]
  /** From now on: what happens to a request; nothing: it is passed on as it is. */
  behave(as: (asked: Asked) => Fault | undefined): void
  /** Connections that callers keep open. */
  connections(): Promise<number>
  close(): Promise<void>
}

/** Stands before a real HTTP server and spoils what is said to it, byte for byte as it is otherwise. */
export async function flakyProxy(target: string): Promise<FlakyProxy> {
  const asked: Asked[] = []
  let behaviour: (asked: Asked) => Fault | undefined = () => undefined
  const server = createServer((incoming, outgoing) => {
    const { method = '', url: path = '', headers } = incoming
    const each = { method, path, range: headers.range }
    asked.push(each)
    meet(behaviour(each), { target, incoming, outgoing })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    behave: (as) => {
      behaviour = as
    },
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => {
          if (error === null) resolve(count)
          else reject(error)
        })
      }),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Exchange {
  readonly target: string
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

function meet(fault: Fault | undefined, exchange: Exchange): void {
  const { incoming, outgoing } = exchange
  if (fault?.kind === 'refuse') {
    incoming.resume()
    outgoing.writeHead(fault.status, { 'content-type': 'application/xml' })
    outgoing.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code></Error>`)
  } else if (fault?.kind === 'drop') incoming.socket.destroy()
  else if (fault?.kind === 'delay') {
    // A test that is over does not wait for it.
    setTimeout(() => {
      passOn(undefined, exchange)
    }, fault.ms).unref()
  } else passOn(fault, exchange)
}

function passOn(fault: Fault | undefined, { target, incoming, outgoing }: Exchange): void {
  const { method, url, headers } = incoming
  const { hostname, port } = new URL(target)
  const upstream = httpRequest({ hostname, port, method, path: url, headers })
  const giveUp = () => {
    upstream.destroy()
    incoming.socket.destroy()
  }
  upstream.on('error', giveUp)
  outgoing.on('close', () => upstream.destroy())
  upstream.on('response', (answer) => {
    if (fault?.kind === 'lose answer') {
      answer.resume().on('end', giveUp)
      return
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    let passed = 0
    answer.on('data', (piece: Buffer) => {
      const isSpoilt = fault?.kind === 'cut answer' || fault?.kind === 'stall answer'
      if (!isSpoilt || passed + piece.length <= fault.after) {
        passed += piece.length
        if (!outgoing.write(piece)) {
          answer.pause()
          outgoing.once('drain', () => answer.resume())
        }
        return
      }
      const rest = piece.subarray(0, Math.max(fault.after - passed, 0))
      passed = fault.after
      answer.pause()
      outgoing.write(rest, () => {
        if (fault.kind === 'cut answer') giveUp()
      })
    })
    answer.on('end', () => outgoing.end())
    answer.on('error', giveUp)
  })
  let sent = 0
  incoming.on('data', (piece: Buffer) => {
    sent += piece.length
    if (fault?.kind === 'cut request' && sent > fault.after) giveUp()
    else if (!upstream.write(piece)) {
      incoming.pause()
      upstream.once('drain', () => incoming.resume())
    }
  })
  incoming.on('end', () => upstream.end())
}
