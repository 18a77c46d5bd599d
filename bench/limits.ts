import { spawnSync } from 'node:child_process'
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'

/** Bytes a second that one core does of each primitive. */
export interface Primitives {
  readonly sha256: number
  readonly encrypt: number
  readonly decrypt: number
  readonly hmac: number
}

/** What one core could seal and open at most, if the primitives were all there is to do. */
export interface Limits {
  readonly seal: number
  readonly open: number
}

export function limitsOf({ sha256, encrypt, decrypt, hmac }: Primitives): Limits {
  return {
    seal: 1 / (1 / sha256 + 1 / encrypt + 1 / hmac),
    open: 1 / (1 / hmac + 1 / decrypt),
  }
}

const pieceSize = 65_536
const total = 96 * 1024 * 1024

/** By node:crypto in this thread, in pieces of 64 KiB, as the sealing gives them. */
export function nodePrimitives(): Primitives {
  const key = randomBytes(16)
  const iv = randomBytes(16)
  const hash = createHash('sha256')
  const hmac = createHmac('sha256', key)
  const cipher = createCipheriv('aes-128-cbc', key, iv)
  const decipher = createDecipheriv('aes-128-cbc', key, iv)
  return {
    sha256: rateOf((piece) => hash.update(piece)),
    encrypt: rateOf((piece) => cipher.update(piece)),
    decrypt: rateOf((piece) => decipher.update(piece)),
    hmac: rateOf((piece) => hmac.update(piece)),
  }
}

function rateOf(work: (piece: Buffer) => unknown): number {
  const piece = randomBytes(pieceSize)
  for (let done = 0; done < total / 8; done += piece.length) work(piece)
  const start = performance.now()
  for (let done = 0; done < total; done += piece.length) work(piece)
  return (total * 1000) / (performance.now() - start)
}

/** By the openssl program, in the same pieces; nothing where it is not there. */
export function opensslPrimitives(): Primitives | undefined {
  const [sha256, encrypt, decrypt, hmac] = [
    ['-evp', 'sha256'],
    ['-evp', 'aes-128-cbc'],
    ['-evp', 'aes-128-cbc', '-decrypt'],
    ['-hmac', 'sha256'],
  ].map(opensslRate)
  if (sha256 === undefined || encrypt === undefined) return undefined
  if (decrypt === undefined || hmac === undefined) return undefined
  return { sha256, encrypt, decrypt, hmac }
}

function opensslRate(what: readonly string[]): number | undefined {
  const speed = ['speed', '-mr', '-elapsed', '-seconds', '1', '-bytes', String(pieceSize), ...what]
  const { status, stdout } = spawnSync('openssl', speed, { encoding: 'utf8' })
  if (status !== 0) return undefined
  // The summary in machine-readable form: "+F:22:AES-128-CBC:1412345678.00".
  const rate = Number(/^\+F:\d+:[^:]*:([\d.]+)/m.exec(stdout)?.[1])
  return Number.isFinite(rate) ? rate : undefined
}
