/** Lends out buffers of one size and keeps some for the next: a fresh one is cleared page by page. */
export interface PartBuffers {
  lend(): Buffer
  /** Only where nothing reads it any more, a request that was given up included. */
  giveBack(buffer: Buffer): void
}

/** Buffers that are kept while nobody has them. */
const MOST_IDLE = 8

export function partBuffers(size: number): PartBuffers {
  const idle: Buffer[] = []
  return {
    lend: () => idle.pop() ?? Buffer.allocUnsafeSlow(size),
    giveBack: (buffer) => {
      if (idle.length < MOST_IDLE) idle.push(buffer)
    },
  }
}
