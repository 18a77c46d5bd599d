import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { text } from 'node:stream/consumers'

/** A request that came. */
export interface Arrival {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** The connection ends in place of the answer. */
  readonly isLost?: boolean
}

/** Nothing: no answer ever comes. */
export type Answering = (arrival: Arrival) => Reply | undefined | Promise<Reply>

/** A server of the portal's that events are posted to. */
export interface EventReceiver {
  readonly url: string
  /** Everything that came and was taken (2xx, also where that answer was lost), in order. */
  readonly taken: Arrival[]
  /** Everything that came. */
  readonly asked: Arrival[]
  answering: Answering
  /** Nobody listens any more. */
  goAway(): Promise<void>
  /** Listens again, at the same address. */
  comeBack(): Promise<void>
}

export const ok: Reply = { status: 204 }

export async function startReceiver(answering: Answering = () => ok): Promise<EventReceiver> {
  let server: Server | undefined
  const listen = async (port: number) => {
    server = createServer((request, response) => {
      void (async () => {
        const arrival = { headers: request.headers, body: await text(request) }
        receiver.asked.push(arrival)
        const reply = await receiver.answering(arrival)
        if (reply === undefined) return
        if (reply.status < 300) receiver.taken.push(arrival)
        if (reply.isLost === true) return void response.destroy()
        response.writeHead(reply.status, { ...reply.headers }).end()
      })().catch(() => response.destroy())
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('No port to be had')
    return address.port
  }
  const taken: Arrival[] = []
  const asked: Arrival[] = []
  const port = await listen(0)
  const receiver: EventReceiver = {
    url: `http://127.0.0.1:${port}/events`,
    ...{ taken, asked, answering },
    goAway: async () => {
      if (server === undefined) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      server = undefined
      await closed
    },
    comeBack: async () => {
      await listen(port)
    },
  }
  return receiver
}

export interface Webhook {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * A webhook as a receiver should read it, by the Standard Webhooks specification: signed by one who has the
 * secret, not long ago. Throws where it is not.
 */
export function verifiedWebhook({ headers, body }: Arrival, secret: string): Webhook {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) =>
    String(headers[`webhook-${name}`]),
  )
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest()
  const isSigned = (signatures ?? '').split(' ').some((each) => {
    const [version, value = ''] = each.split(',')
    const given = Buffer.from(value, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
  if (!isSigned) throw new Error('The webhook is not signed with the secret')
  if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > 300) throw new Error('It is too old')
  return { id: id ?? '', ...(JSON.parse(body) as Omit<Webhook, 'id'>) }
}

export type SinkEvent = Readonly<Record<string, unknown>>

/** The events of one request to the portal's own log. */
export function sinkEvents({ body }: Arrival): SinkEvent[] {
  return JSON.parse(body) as SinkEvent[]
}
