import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'

export interface Target {
  readonly origin: { readonly host: string; readonly port: number }
  readonly token: string
}

const boundary = 'bench-boundary'
const head = Buffer.from(
  `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="scan.dcm"\r\n` +
    'content-type: application/dicom\r\n\r\n',
)
const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
/** Sent again and again: making random bytes would be the bench's own cost. */
const block = randomBytes(1024 * 1024)
/** In turn: a connection that lies idle is of no use to who counts what each worker of a service gets. */
const agent = new Agent({ keepAlive: true, maxSockets: 64, scheduling: 'fifo' })

/**
 * A DICOM file's start (PS3.10: a preamble of 128 bytes, then DICM), unlike any other: no two uploads
 * are alike. The preamble is empty, as random bytes there are now and then another type's.
 */
function start(length: number): Buffer {
  const bytes = Buffer.from(randomBytes(Math.min(length, 4096)))
  bytes.fill(0, 0, 128).write('DICM', 128, 'latin1')
  return bytes
}

/** Uploads `length` bytes, at least 1 KiB, in constant memory. The file's id. */
export async function upload({ origin, token }: Target, length: number): Promise<string> {
  const call = request({
    ...origin,
    agent,
    method: 'POST',
    path: '/api/files/upload',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': head.length + length + tail.length,
    },
  })
  const answered = answerTo(call)
  const first = start(length)
  call.write(head)
  call.write(first)
  for (let left = length - first.length; left > 0; ) {
    const piece = left < block.length ? block.subarray(0, left) : block
    left -= piece.length
    if (!call.write(piece)) await Promise.race([once(call, 'drain'), answered])
  }
  call.end(tail)
  const { status, body } = await answered
  if (status !== 201) throw new Error(`An upload was answered ${status}: ${body.toString('utf8')}`)
  return (JSON.parse(body.toString('utf8')) as { file_id: string }).file_id
}

async function answerTo(
  call: ReturnType<typeof request>,
): Promise<{ status: number; body: Buffer }> {
  const [answer] = (await once(call, 'response')) as [IncomingMessage]
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece as Buffer)
  return { status: answer.statusCode ?? 0, body: Buffer.concat(pieces) }
}

export interface Download {
  readonly bytes: number
  /** Milliseconds until the first byte of the body, and until the last. */
  readonly firstByteMs: number
  readonly allMs: number
}

/** Downloads a file, or one range of it, and drops the bytes. */
export async function download(
  { origin, token }: Target,
  fileId: string,
  range?: { readonly start: number; readonly length: number },
): Promise<Download> {
  const headers: Record<string, string> = { authorization: `Bearer ${token}` }
  if (range !== undefined) {
    headers['range'] = `bytes=${range.start}-${range.start + range.length - 1}`
  }
  const began = performance.now()
  const call = request({ ...origin, agent, path: `/api/files/${fileId}`, headers }).end()
  const [answer] = (await once(call, 'response')) as [IncomingMessage]
  let bytes = 0
  let firstByteMs = 0
  answer.on('data', (piece: Buffer) => {
    if (bytes === 0) firstByteMs = performance.now() - began
    bytes += piece.length
  })
  await once(answer, 'end')
  if (answer.statusCode !== (range === undefined ? 200 : 206)) {
    throw new Error(`A download was answered ${answer.statusCode ?? 0}`)
  }
  return { bytes, firstByteMs, allMs: performance.now() - began }
}

const readBuffer = Buffer.allocUnsafeSlow(1024 * 1024)

/**
 * Downloads a whole file on a connection of its own, into one buffer again and again: a client that
 * costs as little as one can, as it runs on the same processors. Milliseconds.
 */
export async function drain(
  { origin, token }: Target,
  fileId: string,
  size: number,
): Promise<number> {
  const began = performance.now()
  let received = 0
  let head = ''
  const socket = connect({
    ...origin,
    onread: {
      buffer: readBuffer,
      callback: (count, buffer) => {
        if (received === 0) head = Buffer.from(buffer.subarray(0, count)).toString('latin1')
        received += count
        return true
      },
    },
  })
  const call = [`GET /api/files/${fileId} HTTP/1.1`, 'host: bench', 'connection: close']
  socket.write(`${[...call, `authorization: Bearer ${token}`].join('\r\n')}\r\n\r\n`)
  await once(socket, 'close')
  const headLength = head.indexOf('\r\n\r\n') + 4
  if (!head.startsWith('HTTP/1.1 200 ') || received !== headLength + size) {
    throw new Error(`A download was answered ${head.slice(0, 30)}`)
  }
  return performance.now() - began
}

/** Deletes a file: for good, where the service keeps nothing deleted (`DELETE_RETENTION_DAYS=0`). */
export async function remove({ origin, token }: Target, fileId: string): Promise<void> {
  const call = request({
    ...origin,
    agent,
    method: 'DELETE',
    path: `/api/files/${fileId}`,
    headers: { authorization: `Bearer ${token}` },
  }).end()
  const { status } = await answerTo(call)
  if (status !== 200) throw new Error(`A deletion was answered ${status}`)
}

/** The same request without its body: what reading costs beside the bytes. */
export async function headOnly({ origin, token }: Target, fileId: string): Promise<void> {
  const call = request({
    ...origin,
    agent,
    method: 'HEAD',
    path: `/api/files/${fileId}`,
    headers: { authorization: `Bearer ${token}` },
  }).end()
  const { status } = await answerTo(call)
  if (status !== 200) throw new Error(`HEAD was answered ${status}`)
}

/** Lets go of the connections that are kept open. */
export function closeConnections(): void {
  agent.destroy()
}
