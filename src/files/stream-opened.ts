import { Readable } from 'node:stream'
import type { Actor, AuditFacts } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import type { SealedBlob } from '../blobs/blob-store.js'
import { openRange } from '../crypto/open-stream.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { Meter } from '../ports/meter.js'
import type { WorkLog } from '../ports/work-log.js'
import { actionOf } from './file-action.js'
import type { OpenedEntry } from './open-entry.js'
import type { RunningReads } from './running-reads.js'

/** Bytes `start` ≤ i < `end` of the file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Where a reading's bytes go. */
export interface ReadingAnswer {
  /** Calls back once, when the client has them all, or will get no more. */
  onceOver(callback: () => void): void
  /** Takes back what the client was sent and has not received yet; it sees a cut. */
  breakOff(): void
}

/** What a reading rests on beside its grant: see `RunningRead`. */
export type StillHolds = (() => Promise<boolean>) | undefined

export interface StreamDependencies {
  readonly audit: AuditLog
  readonly running: RunningReads
  readonly log: WorkLog
  readonly meter?: Pick<Meter, 'opened'> | undefined
}

interface StreamFacts {
  readonly actor: Actor
  readonly opened: OpenedEntry
  readonly blob: SealedBlob
  readonly range: ByteRange
  readonly answer: ReadingAnswer
  readonly stillHolds: StillHolds
  /** Of the event the reading rests on. */
  readonly facts: AuditFacts
}

/**
 * The bytes of a reading that is permitted and on record. The first piece is opened before the
 * answer begins: what is damaged there is an error, not a cut. Ends with the grant; what breaks it
 * off is put on record, and its end is told in one line. Closes entry and blob.
 */
export async function streamOpened(
  use: StreamDependencies,
  reading: StreamFacts,
): Promise<Readable> {
  const { opened, answer, stillHolds } = reading
  const watch = watchReading(use, reading)
  const pieces = watch.counted(piecesOf(reading))
  let first: IteratorResult<Buffer, void>
  try {
    first = await pieces.next()
  } catch (error) {
    try {
      if (isBroken(error)) await watch.brokenOff(error.code)
    } finally {
      watch.over()
    }
    throw error
  }
  const stream = Readable.from(resumed(first, pieces), {
    objectMode: false,
    highWaterMark: 2 ** opened.entry.version.segmentSizeLog2,
  })
  const forget = use.running.add({
    grantId: opened.grant.grantId,
    stillHolds,
    end: async (why) => {
      const onRecord = watch.brokenOff(why)
      stream.destroy(new StrongroomError(why === 'grant_ended' ? 'forbidden' : 'shutting_down'))
      answer.breakOff()
      await onRecord
    },
  })
  // Not when the last byte is opened: a slow client is still waiting for it.
  answer.onceOver(forget)
  stream.once('error', (error) => {
    if (isBroken(error)) use.running.track(watch.brokenOff(error.code))
  })
  stream.once('close', watch.over)
  return stream
}

function piecesOf({ opened, blob, range }: StreamFacts): AsyncGenerator<Buffer, void> {
  const { entry, metadata, key } = opened
  const { sealedId } = entry.version
  return openRange({ key, sealedId, sealedBytes: blob, dataLength: metadata.size, ...range })
}

/** What is known of a reading when it is over, for audit and log. */
function watchReading(use: StreamDependencies, { actor, opened, blob, range, facts }: StreamFacts) {
  const { file, version } = opened.entry
  const start = performance.now()
  let bytes = 0
  let openingMs = 0
  let reason: string | undefined

  async function* counted(pieces: AsyncGenerator<Buffer, void>): AsyncGenerator<Buffer, void> {
    let asked = performance.now()
    for await (const piece of pieces) {
      openingMs += performance.now() - asked
      bytes += piece.length
      yield piece
      asked = performance.now()
    }
  }
  async function brokenOff(why: string): Promise<void> {
    reason ??= why
    const action = actionOf(file.kind, 'read_broken_off')
    await use.audit.note(actor, { ...facts, action, outcome: 'failed', reason: why })
  }
  function over(): void {
    use.meter?.opened(bytes, openingMs / 1_000)
    opened.close()
    blob.close().catch((err: unknown) => {
      use.log.error({ err }, 'failed')
    })
    const line = {
      request_id: actor.requestId,
      user_id: actor.userId,
      file_id: file.fileId,
      version: version.version,
      sealed_id: version.sealedId,
      bytes,
      ms: Math.round(performance.now() - start),
    }
    if (reason !== undefined) use.log.warn({ ...line, reason }, 'opening broken off')
    else use.log.info({ ...line, whole_range: bytes === range.end - range.start }, 'opened')
  }
  return { counted, brokenOff, over }
}

function isBroken(error: unknown): error is StrongroomError {
  return isStrongroomError(error, 'damaged', 'storage_unavailable')
}

async function* resumed(
  first: IteratorResult<Buffer, void>,
  rest: AsyncGenerator<Buffer, void>,
): AsyncGenerator<Buffer, void> {
  try {
    if (first.done === true) return
    yield first.value
    yield* rest
  } finally {
    await rest.return()
  }
}
