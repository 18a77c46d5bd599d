import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Answer, answerOf } from './http.js'

/** Where to connect to. */
export interface Address {
  readonly host: string
  readonly port: number
}

export type RawHeaders = Readonly<Record<string, string>>

/** A connection that is ours to misuse: every byte as given, nothing added. */
export interface RawConnection {
  readonly socket: Socket
  /** Writes, and waits until the kernel has taken it or the connection is gone. */
  write(data: Buffer | string): Promise<void>
  /** Everything received so far. */
  received(): Buffer
  /** Resolves once `wanted` holds for what was received, or the other side has closed. */
  until(wanted: (received: Buffer) => boolean, milliseconds?: number): Promise<void>
  /** The final answer: interim ones (1xx) are left out. */
  answer(milliseconds?: number): Promise<Answer>
  /** Resolves once the other side has closed, with the milliseconds that took. */
  closed(milliseconds?: number): Promise<number>
  destroy(): void
}

/** The head of a request, with its blank line. */
export function requestHead(method: string, path: string, headers: RawHeaders): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${lines.join('')}\r\n`
}

interface Parsed {
  readonly answer: Answer
  readonly complete: boolean
}

function unchunk(rest: Buffer): { body: Buffer; complete: boolean } {
  const pieces: Buffer[] = []
  let at = 0
  for (;;) {
    const end = rest.indexOf('\r\n', at)
    if (end < 0) return { body: Buffer.concat(pieces), complete: false }
    const size = Number.parseInt(rest.toString('latin1', at, end), 16)
    if (size === 0) return { body: Buffer.concat(pieces), complete: true }
    pieces.push(rest.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function parseHead(head: string): { status: number; headers: Record<string, string> } {
  const [first = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { status: Number(first.split(' ')[1]), headers }
}

/** The final answer in `received`, as far as it has come (RFC 9112). */
export function parseAnswer(received: Buffer): Parsed | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const { status, headers } = parseHead(received.toString('latin1', 0, end))
  const rest = received.subarray(end + 4)
  if (status < 200) return parseAnswer(rest)
  if (headers['transfer-encoding'] === 'chunked') {
    const { body, complete } = unchunk(rest)
    return { answer: answerOf(status, headers, body), complete }
  }
  const length = headers['content-length']
  const complete = length !== undefined && rest.length >= Number(length)
  return { answer: answerOf(status, headers, rest), complete: complete || status === 304 }
}

/** Opens a connection on which nothing has been sent yet. */
export async function openRaw({ host, port }: Address): Promise<RawConnection> {
  const socket = connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  const pieces: Buffer[] = []
  let over = false
  socket.on('data', (piece) => pieces.push(piece))
  socket.on('error', () => undefined)
  socket.on('close', () => {
    over = true
  })
  socket.on('end', () => {
    over = true
  })
  const received = () => Buffer.concat(pieces)

  const waitFor = (what: string, milliseconds: number, holds: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (!holds()) return
        finish()
        resolve()
      }
      const timer = setTimeout(() => {
        finish()
        reject(new Error(`${what}: not within ${milliseconds} ms`))
      }, milliseconds)
      const finish = () => {
        clearTimeout(timer)
        for (const event of ['data', 'end', 'close']) socket.off(event, check)
      }
      for (const event of ['data', 'end', 'close']) socket.on(event, check)
      check()
    })

  return {
    socket,
    received,
    write: (data) =>
      new Promise((resolve) => {
        if (over || socket.destroyed) resolve()
        else
          socket.write(data, () => {
            resolve()
          })
      }),
    until: (wanted, milliseconds = 10_000) =>
      waitFor('the expected bytes', milliseconds, () => over || wanted(received())),
    answer: async (milliseconds = 15_000) => {
      await waitFor('an answer', milliseconds, () => {
        return over || parseAnswer(received())?.complete === true
      })
      const parsed = parseAnswer(received())
      if (parsed === undefined) throw new Error('The connection was closed without an answer')
      return parsed.answer
    },
    closed: async (milliseconds = 15_000) => {
      const start = performance.now()
      await waitFor('the end of the connection', milliseconds, () => over)
      return performance.now() - start
    },
    destroy: () => {
      socket.destroy()
    },
  }
}

/** Sends these bytes on a connection of their own and gives the answer. */
export async function rawCall(address: Address, request: Buffer | string): Promise<Answer> {
  const connection = await openRaw(address)
  try {
    await connection.write(request)
    return await connection.answer()
  } finally {
    connection.destroy()
  }
}
