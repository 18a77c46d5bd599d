import type { Piece } from './download-piece.js'
import { ConnectionError, IntegrityError } from './errors.js'
import { mayRepeat, pause, type RetryOptions, waitBefore } from './retry.js'
import type { Sha256 } from './sha256.js'

interface ResumeOptions {
  /** Asks for what is from that byte of the file to the end of the first piece. */
  readonly next: (from: number) => Promise<Piece>
  readonly retry: RetryOptions
  readonly signal: AbortSignal
  /** What the bytes must have, where they are the whole file. */
  readonly sha256: string | undefined
  readonly makeSha256: () => Sha256
  /** Told of all bytes so far. */
  readonly onReceived: (received: number) => void
}

/**
 * The bytes of `first`, with what is missing asked for anew each time the connection breaks. Gives up where several
 * attempts in a row brought not one byte.
 * @throws ConnectionError, StrongroomError, IntegrityError, and the signal's reason
 */
export async function* resumedBytes(
  first: Piece,
  options: ResumeOptions,
): AsyncGenerator<Uint8Array, void> {
  const { next, retry, signal, sha256, onReceived } = options
  const hash = sha256 === undefined ? undefined : options.makeSha256()
  let at = first.start
  let failures = 0
  let piece: Piece | undefined = first
  onReceived(0)
  while (at < first.end) {
    try {
      piece ??= await next(at)
      for await (const bytes of bytesOf(piece.response, signal)) {
        if (at + bytes.length > first.end) throw new IntegrityError('length')
        hash?.update(bytes)
        at += bytes.length
        failures = 0
        onReceived(at - first.start)
        yield bytes
      }
      // It ended before its end.
      if (at < first.end) throw new ConnectionError()
    } catch (error) {
      signal.throwIfAborted()
      // All is there: what the connection has come to afterwards is of no interest.
      if (at === first.end && error instanceof ConnectionError) break
      failures++
      const wait = mayRepeat(error, 'always') ? waitBefore(error, failures, retry) : undefined
      if (wait === undefined) throw error
      await pause(wait, signal)
      piece = undefined
    }
  }
  if (hash !== undefined && hash.hex() !== sha256) throw new IntegrityError('digest')
}

/** Reads an answer's body; lets go of it where the caller stops. Throws `ConnectionError` where it breaks off. */
async function* bytesOf({ body }: Response, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  if (body === null) return
  const reader = body.getReader()
  let isOver = false
  try {
    for (;;) {
      const step = await reader.read().catch((cause: unknown) => {
        isOver = true
        signal.throwIfAborted()
        throw new ConnectionError({ cause })
      })
      isOver = step.done
      if (step.done) return
      if (step.value.length > 0) yield step.value
    }
  } finally {
    if (!isOver) await reader.cancel().catch(() => undefined)
    reader.releaseLock()
  }
}
