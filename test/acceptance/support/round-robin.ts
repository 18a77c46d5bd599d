import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface RoundRobin {
  /** Connections each port was given. */
  readonly given: ReadonlyMap<number, number>
  close(): Promise<void>
}

/** Passes connections on `port` to the others by turns, byte for byte; to the next where one takes none. */
export async function roundRobin(port: number, ports: readonly number[]): Promise<RoundRobin> {
  const given = new Map(ports.map((each) => [each, 0]))
  const open = new Set<Socket>()
  let turn = 0
  const server = createServer({ allowHalfOpen: true }, (client) => {
    open.add(client)
    client.on('close', () => open.delete(client)).on('error', () => undefined)
    client.pause()
    void pass(client, ports.length)
  })
  async function pass(client: Socket, tries: number): Promise<void> {
    const target = ports[turn++ % ports.length] ?? 0
    const node = connect({ host: '127.0.0.1', port: target, allowHalfOpen: true })
    node.on('error', () => undefined)
    try {
      await once(node, 'connect')
    } catch {
      if (tries > 1) await pass(client, tries - 1)
      else client.resetAndDestroy()
      return
    }
    given.set(target, (given.get(target) ?? 0) + 1)
    join(client, node)
    join(node, client)
    client.pipe(node)
    node.pipe(client)
  }
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    given,
    close: async () => {
      for (const each of open) each.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A reset is passed on as one, unless the other side was ended before; an end by the pipe. */
function join(from: Socket, to: Socket): void {
  from.on('error', () => {
    // Node 20 never closes a socket that is reset after its end (EINVAL), and then spins at its own exit.
    if (to.writableEnded) to.destroy()
    else if (!to.destroyed) to.resetAndDestroy()
  })
  from.on('close', () => {
    if (!to.destroyed && !to.writableEnded) to.destroySoon()
  })
}
