import { createHash } from 'node:crypto'
import { openEnvelope, signEnvelope } from '../crypto/signed-envelope.js'
import { type SigningKey, verifyingKey } from '../crypto/signing-key.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { CodedEvent } from './coded-events.js'
import { summarizeEvent } from './event-summary.js'
import type { Head } from './seal.js'

/** The kind of text a signature is over: nothing else signed by this key can stand for an export. */
const MONTH_TYPE = 'application/vnd.strongroom.audit-month+json'

/** What is signed of an export: the last line of its file. */
export interface MonthStatement {
  readonly month: string
  readonly events: number
  /** SHA-256 of all lines before it, each with its line feed, in hexadecimal digits. */
  readonly sha256: string
  /** The chain of seals as it was then. */
  readonly head: { readonly seal: number; readonly digest: string; readonly events: number }
  readonly exported_at: string
}

/** One event a line, with its place and code: enough to verify it by, where the index key is. */
export function exportLine(event: CodedEvent): string {
  const { writerId: writer_id, number: writer_number, settled, code } = event
  const mac = Buffer.from(code).toString('hex')
  return `${JSON.stringify({ ...summarizeEvent(event), writer_id, writer_number, settled, mac })}\n`
}

export interface MonthLines {
  /** The lines with the signed one at the end. */
  readonly lines: AsyncIterable<string>
  /** Once the last was taken: what it says. */
  statement(): MonthStatement
}

/** The lines of an export. */
export function signedMonth(
  key: SigningKey,
  month: string,
  events: AsyncIterable<CodedEvent>,
  head: Head,
): MonthLines {
  let statement: MonthStatement | undefined
  async function* lines(): AsyncGenerator<string> {
    const hash = createHash('sha256')
    let count = 0
    for await (const event of events) {
      const line = exportLine(event)
      hash.update(line)
      count += 1
      yield line
    }
    statement = {
      month,
      events: count,
      sha256: hash.digest('hex'),
      head: {
        seal: head.number,
        digest: Buffer.from(head.digest).toString('hex'),
        events: head.total,
      },
      exported_at: new Date().toISOString(),
    }
    yield signEnvelope(key, MONTH_TYPE, JSON.stringify(statement))
  }
  return {
    lines: lines(),
    statement: () => {
      if (statement === undefined) throw new Error('The export did not come to its end')
      return statement
    },
  }
}

/**
 * Whether the lines are an export that the deployment signed, whole and unaltered.
 * @throws StrongroomError `damaged` where they are not
 */
export async function checkMonth(
  publicKey: string,
  lines: AsyncIterable<string>,
): Promise<MonthStatement> {
  const hash = createHash('sha256')
  let count = 0
  let last: string | undefined
  for await (const line of lines) {
    if (last !== undefined) {
      hash.update(last)
      count += 1
    }
    last = `${line}\n`
  }
  const key = verifyingKey(publicKey)
  const text =
    key === undefined || last === undefined ? undefined : openEnvelope(key, MONTH_TYPE, last)
  if (text === undefined) throw notGenuine('signature')
  // Signed by the deployment, which writes statements only so.
  const statement = JSON.parse(text) as MonthStatement
  if (statement.events !== count) throw notGenuine('count')
  if (statement.sha256 !== hash.digest('hex')) throw notGenuine('digest')
  return statement
}

function notGenuine(reason: string): StrongroomError {
  return new StrongroomError('damaged', {
    detail: 'This is no export as it was signed',
    context: { reason },
  })
}
