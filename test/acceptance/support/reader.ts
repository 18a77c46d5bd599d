import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Person } from './people.js'
import { type Address, requestHead } from './raw.js'

/** A download that goes as fast as we like: what we do not read stays with the service. */
export interface Reader {
  readonly status: number
  /** What the answer promised. */
  readonly length: number
  /** Bytes of the body read until now. */
  received(): number
  /** Reads at least `bytes` more, or to the end; false once it is over. */
  read(bytes: number): Promise<boolean>
  /** Reads to the end; the whole body as far as it came. */
  drain(): Promise<Buffer>
  destroy(): void
}

/** Waits until there is something to read, or nothing more to come. */
function nextEvent(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close']
    const finish = () => {
      for (const event of events) socket.off(event, finish)
      resolve()
    }
    for (const event of events) socket.on(event, finish)
  })
}

/** Asks for `path` as `who`, and reads no more than the answer's head and the beginning of its body. */
export async function openReader(address: Address, who: Person, path: string): Promise<Reader> {
  const socket = connect({ ...address, highWaterMark: 16 * 1024 } as Address)
  socket.on('error', () => undefined)
  let isOver = false
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      isOver = true
    })
  }
  await once(socket, 'connect')
  const headers = { authorization: `Bearer ${who.token}`, connection: 'close' }
  socket.write(requestHead('GET', path, headers))

  let head = Buffer.alloc(0)
  const pieces: Buffer[] = []
  let received = 0
  const add = (piece: Buffer) => {
    pieces.push(piece)
    received += piece.length
  }
  const next = async () => {
    for (;;) {
      const piece = socket.read() as Buffer | null
      if (piece !== null) return piece
      if (isOver || socket.destroyed) return undefined
      await nextEvent(socket)
    }
  }
  while (!head.includes('\r\n\r\n')) {
    const piece = await next()
    if (piece === undefined) throw new Error('The connection was closed without an answer')
    head = Buffer.concat([head, piece])
  }
  const end = head.indexOf('\r\n\r\n') + 4
  add(head.subarray(end))
  const lines = head.toString('latin1', 0, end)
  const read = async (bytes: number) => {
    const wanted = received + bytes
    while (received < wanted) {
      const piece = await next()
      if (piece === undefined) return false
      add(piece)
    }
    return true
  }
  return {
    status: Number(lines.split(' ')[1]),
    length: Number(/content-length: *(\d+)/i.exec(lines)?.[1] ?? 'NaN'),
    received: () => received,
    read,
    drain: async () => {
      await read(Number.POSITIVE_INFINITY)
      return Buffer.concat(pieces)
    },
    destroy: () => {
      socket.destroy()
    },
  }
}
