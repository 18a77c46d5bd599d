import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** What is done once, to the bytes of all connections counted together since the one before was done. */
export interface Spoiling {
  /** `up`: from the client to the service; `down`: what it answers. */
  readonly way: 'up' | 'down'
  /** `cut`: the connection is reset after so many bytes. `flip`: a bit of the byte after them is turned. */
  readonly how: 'cut' | 'flip'
  readonly after: number
}

export interface SpoilingProxy {
  readonly origin: string
  /** From now on, one after the other. */
  spoil(...spoilings: readonly Spoiling[]): void
  /** Spoilings that have happened. */
  happened(): number
  close(): Promise<void>
}

/** Passes TCP on, byte for byte, but for what it is told to spoil. */
export async function spoilingProxy(target: {
  host: string
  port: number
}): Promise<SpoilingProxy> {
  const sockets = new Set<Socket>()
  let waiting: { spoiling: Spoiling; left: number }[] = []
  let happened = 0

  function pass(way: Spoiling['way'], from: Socket, to: Socket): void {
    from.on('data', (bytes) => {
      const rest = spoiled(way, bytes)
      if (rest.cut) {
        to.write(rest.bytes, () => {
          from.resetAndDestroy()
          to.resetAndDestroy()
        })
        from.pause()
      } else if (!to.write(rest.bytes)) {
        from.pause()
        to.once('drain', () => from.resume())
      }
    })
    from.on('end', () => to.end())
    from.on('close', () => to.destroy())
    from.on('error', () => to.destroy())
  }

  function spoiled(way: Spoiling['way'], bytes: Buffer): { bytes: Buffer; cut: boolean } {
    const [next] = waiting
    if (next?.spoiling.way !== way) return { bytes, cut: false }
    const { left, spoiling } = next
    next.left -= bytes.length
    if (next.left >= 0) return { bytes, cut: false }
    waiting.shift()
    happened++
    if (spoiling.how === 'cut') return { bytes: bytes.subarray(0, left), cut: true }
    const turned = Buffer.from(bytes)
    turned.writeUInt8(turned.readUInt8(left) ^ 1, left)
    return { bytes: turned, cut: false }
  }

  const server = createServer((client) => {
    const service = connect(target)
    for (const socket of [client, service]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    pass('up', client, service)
    pass('down', service, client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port to be had')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    spoil: (...spoilings) => {
      waiting = spoilings.map((spoiling) => ({ spoiling, left: spoiling.after }))
    },
    happened: () => happened,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
