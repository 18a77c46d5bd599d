import type { InputOf, ResultOf } from '../operations/operations.js'
import type { Destination } from '../outbox/ports.js'
import { type ExitCode, type Terminal, UsageError } from './context.js'
import { operate } from './operate.js'
import { operatorName } from './operator-name.js'

interface Chosen {
  readonly id?: readonly string[]
  readonly destination?: string
  readonly waiting?: boolean
  readonly json?: boolean
}

export interface OutboxListOptions extends Chosen {
  readonly limit: string
}

export interface OutboxChangeOptions extends Chosen {
  readonly all?: boolean
  readonly by?: string
}

type Listing = ResultOf<'outbox-list'>

/** `strongroom outbox list`: 1 where there are dead letters. */
export async function outboxListCommand(
  terminal: Terminal,
  options: OutboxListOptions,
): Promise<ExitCode> {
  const limit = numberOf('--limit', options.limit)
  const listing = await operate(terminal, 'outbox-list', { ...filterOf(options), limit })
  if (options.json === true) terminal.out(JSON.stringify(listing))
  else for (const line of linesOf(listing)) terminal.out(line)
  return listing.counts.some(({ dead }) => dead > 0) ? 1 : 0
}

/** `strongroom outbox replay` */
export async function outboxReplayCommand(
  terminal: Terminal,
  options: OutboxChangeOptions,
): Promise<ExitCode> {
  const result = await operate(terminal, 'outbox-replay', changeOf(options))
  terminal.out(
    options.json === true
      ? JSON.stringify(result)
      : `${result.replayed} messages are tried again, as if for the first time`,
  )
  return 0
}

/** `strongroom outbox drop` */
export async function outboxDropCommand(
  terminal: Terminal,
  options: OutboxChangeOptions,
): Promise<ExitCode> {
  const result = await operate(terminal, 'outbox-drop', changeOf(options))
  terminal.out(
    options.json === true
      ? JSON.stringify(result)
      : `${result.dropped} messages removed undelivered; the audit log has their events`,
  )
  return 0
}

function changeOf(options: OutboxChangeOptions): InputOf<'outbox-replay'> {
  const { all = false, id, destination, by } = options
  if (!all && id === undefined && destination === undefined) {
    throw new UsageError('expected --id, --destination or --all')
  }
  return { ...filterOf(options), all, by: operatorName(by) }
}

function filterOf({ id, destination, waiting }: Chosen) {
  return {
    ...(id === undefined ? {} : { ids: id.map((each) => numberOf('--id', each)) }),
    ...(destination === undefined ? {} : { destination: destinationOf(destination) }),
    waiting: waiting === true,
  }
}

function numberOf(option: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new UsageError(`${option}: expected a number`)
}

function destinationOf(text: string): Destination {
  if (text === 'webhook' || text === 'sink') return text
  throw new UsageError('--destination: expected webhook or sink')
}

function linesOf({ counts, messages }: Listing): string[] {
  return [
    ...counts.map(
      ({ destination, waiting, dead, oldest }) =>
        `${destination}: ${waiting} waiting${oldest === null ? '' : `, the oldest since ${oldest}`}; ${dead} dead letters`,
    ),
    ...(counts.length === 0 ? ['nothing waits, and there are no dead letters'] : []),
    ...messages.map(lineOf),
  ]
}

function lineOf(message: Listing['messages'][number]): string {
  const { id, destination, type, resource, attempts, reason, dead_at, not_before } = message
  const state =
    dead_at !== null
      ? `dead since ${dead_at}`
      : not_before === null
        ? 'due'
        : `tried again at ${not_before}`
  const failed = attempts === 0 ? '' : `; failed ${attempts} times: ${reason ?? 'unknown'}`
  return `${id}  ${destination}  ${type} of ${resource}; ${state}${failed}`
}
