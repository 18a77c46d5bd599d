import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { link, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { MonthFiles } from '../audit/ports.js'
import { StrongroomError } from '../errors/strongroom-error.js'

/** Lines in gzip, in a file only its owner can read (0600). */
export function monthFiles(): MonthFiles {
  return { write: writeLines, read: readLines }
}

async function writeLines(path: string, lines: AsyncIterable<string>): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const file = createWriteStream(temporary, { flags: 'wx', mode: 0o600, flush: true })
    await pipeline(Readable.from(lines), createGzip(), file)
    // A link, unlike a rename, never takes the place of a file that is there.
    await link(temporary, path)
  } catch (error) {
    throw asProblem(error)
  } finally {
    await rm(temporary, { force: true })
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function* readLines(path: string): AsyncGenerator<string> {
  const input = createReadStream(path)
  const text = createGunzip()
  let failed: Error | undefined
  // What fails is told where the lines are taken.
  const over = pipeline(input, text, { end: true }).catch((error: unknown) => {
    failed = error instanceof Error ? error : new Error('Not readable', { cause: error })
  })
  const lines = createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })
  try {
    yield* lines
    await over
    if (failed !== undefined) throw failed
  } catch (error) {
    throw asProblem(error)
  } finally {
    lines.close()
    input.destroy()
  }
}

function asProblem(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'EEXIST') {
    return new StrongroomError('conflict', { detail: 'There is a file of that name already.' })
  }
  if (/^(?:E[A-Z]+|Z_[A-Z_]+|ERR_STREAM_PREMATURE_CLOSE)$/.test(code)) {
    const detail = `The file cannot be written, or read as an export (${code})`
    return new StrongroomError('invalid_field', { detail })
  }
  return error
}
