import { createReadStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { type Anchor } from '../audit/ports.js'

/** Lines that are read back at most: the newest. */
const MOST_LINES = 100_000

/** A file of signed heads, one a line, only ever appended to; made where it is absent (0600). */
export function anchorFile(path: string): Anchor & { read(): Promise<string[]> } {
  return {
    put: async (line) => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      const file = await open(path, 'a', 0o600)
      try {
        await file.appendFile(line)
        await file.datasync()
      } finally {
        await file.close()
      }
    },
    read: () => readHeads(path),
  }
}

/** The lines of such a file; none where there is no file. */
export async function readHeads(path: string): Promise<string[]> {
  const lines: string[] = []
  try {
    for await (const line of createInterface({ input: createReadStream(path) })) {
      if (line !== '') lines.push(line)
      if (lines.length >= 2 * MOST_LINES) lines.splice(0, MOST_LINES)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  return lines.slice(-MOST_LINES)
}
