/** A SHA-256 that is fed piece by piece. */
export interface Sha256 {
  update(bytes: Uint8Array): void
  /** 64 hexadecimal digits; nothing can be added afterwards. */
  hex(): string
}

// FIPS 180-4, 4.2.2 and 5.3.3: the first 32 bits of the fractional parts of roots of the first primes.
const primes = firstPrimes(64)
const roundConstants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)))
const start = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

const BLOCK = 64

/**
 * For browsers, whose WebCrypto takes a message only whole. In plain JavaScript: about 100 MB a second. It
 * guards against accidents on the way; nothing secret goes through it.
 */
export function portableSha256(): Sha256 {
  const state = start.slice()
  const words = new Int32Array(64)
  const block = new Uint8Array(BLOCK)
  let held = 0
  let length = 0

  const update = (bytes: Uint8Array) => {
    length += bytes.length
    let done = 0
    if (held > 0) {
      done = Math.min(BLOCK - held, bytes.length)
      block.set(bytes.subarray(0, done), held)
      held += done
      if (held < BLOCK) return
      compress(state, words, new DataView(block.buffer))
      held = 0
    }
    for (; done + BLOCK <= bytes.length; done += BLOCK) {
      compress(state, words, new DataView(bytes.buffer, bytes.byteOffset + done, BLOCK))
    }
    block.set(bytes.subarray(done))
    held = bytes.length - done
  }
  return {
    update,
    hex: () => {
      update(padding(length))
      return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
    },
  }
}

/** FIPS 180-4, 5.1.1: a bit, zeros, and the message's length in bits. */
function padding(length: number): Uint8Array {
  const zeros = (2 * BLOCK - 9 - (length % BLOCK)) % BLOCK
  const bytes = new Uint8Array(zeros + 9)
  bytes[0] = 0x80
  new DataView(bytes.buffer).setBigUint64(zeros + 1, BigInt(length) * 8n)
  return bytes
}

/** FIPS 180-4, 6.2.2, of one block. Engines add 32-bit integers fast where each sum is cut to one at once. */
function compress(state: Int32Array, words: Int32Array, block: DataView): void {
  schedule(words, block)
  let a = at(state, 0)
  let b = at(state, 1)
  let c = at(state, 2)
  let d = at(state, 3)
  let e = at(state, 4)
  let f = at(state, 5)
  let g = at(state, 6)
  let h = at(state, 7)
  for (let t = 0; t < 64; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const choice = (e & f) ^ (~e & g)
    const t1 = (((h + s1) | 0) + ((choice + at(roundConstants, t)) | 0) + at(words, t)) | 0
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const majority = (a & b) ^ (a & c) ^ (b & c)
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + ((s0 + majority) | 0)) | 0
  }
  state[0] = at(state, 0) + a
  state[1] = at(state, 1) + b
  state[2] = at(state, 2) + c
  state[3] = at(state, 3) + d
  state[4] = at(state, 4) + e
  state[5] = at(state, 5) + f
  state[6] = at(state, 6) + g
  state[7] = at(state, 7) + h
}

function schedule(words: Int32Array, block: DataView): void {
  for (let t = 0; t < 16; t++) words[t] = block.getInt32(t * 4)
  for (let t = 16; t < 64; t++) {
    const w15 = at(words, t - 15)
    const w2 = at(words, t - 2)
    const s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3)
    const s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10)
    words[t] = (((at(words, t - 16) + s0) | 0) + ((at(words, t - 7) + s1) | 0)) | 0
  }
}

/** Within its length: cut to an integer, which it is. */
const at = (words: Int32Array, index: number) => (words[index] ?? 0) | 0

const rotate = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits))

function fraction(root: number): number {
  return Math.floor((root % 1) * 2 ** 32) | 0
}

function firstPrimes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) {
    if (found.every((prime) => n % prime !== 0)) found.push(n)
  }
  return found
}
