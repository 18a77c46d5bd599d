import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { statusOf } from '../errors/error-codes.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import type { WorkLog } from '../ports/work-log.js'
import { type ControlLine, type ControlProblem, maxInputBytes } from './control-socket.js'
import type { Operation } from './operation.js'

export interface ControlServer {
  /** Breaks off what is under way and waits for it; the socket is gone then. */
  close(): Promise<void>
}

interface Options {
  /** A name that is there already is replaced: whoever calls holds the lock of the data folder. */
  readonly path: string
  readonly operations: Readonly<Record<string, Operation>>
  readonly log: WorkLog
}

/** Ends a service's patience with a client that sends its input slowly. */
const inputLimitMs = 10_000

/**
 * Carries out operations for whoever may open the socket: its owner, 0600. Rejects with the system's
 * error where the socket cannot be made.
 */
export async function serveControl({ path, operations, log }: Options): Promise<ControlServer> {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const asked = new Set<IncomingMessage>()
  const options = { requestTimeout: inputLimitMs, connectionsCheckingInterval: 1_000 }
  const server = createServer(options, (request, response) => {
    const work = answer(request, response)
    running.add(work)
    asked.add(request)
    void work.finally(() => {
      running.delete(work)
      asked.delete(request)
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.once('close', () => {
      gone.abort()
    })
    const tell = (line: ControlLine) => response.write(`${JSON.stringify(line)}\n`)
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.flushHeaders()
    const name = /^\/operations\/([\w-]+)$/.exec(request.url ?? '')?.[1] ?? ''
    try {
      const signal = AbortSignal.any([stopping.signal, gone.signal])
      const result = await carryOut(operations, name, await inputOf(request), {
        signal,
        progress: (progress) => tell({ progress }),
      })
      tell({ result })
    } catch (err) {
      if (gone.signal.aborted) log.warn({ operation: name }, 'an operation was broken off')
      else if (isRefusal(err)) log.warn({ operation: name, code: err.code }, 'refused')
      else log.error({ err }, 'an operation failed')
      tell({ problem: problemOf(err) })
    }
    response.end()
  }

  await rm(path, { force: true })
  const listening = once(server, 'listening')
  // Bound at once, before anything else can run: never open to others, not for a moment.
  const before = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(before)
  }
  try {
    await listening
    await chmod(path, 0o600)
  } catch (error) {
    server.close()
    throw error
  }
  return {
    close: async () => {
      stopping.abort(new StrongroomError('shutting_down'))
      for (const request of asked) if (!request.complete) request.destroy()
      await Promise.all(running)
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function carryOut(
  operations: Options['operations'],
  name: string,
  input: unknown,
  context: Parameters<Operation['run']>[1],
): Promise<unknown> {
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (operation === undefined) throw new StrongroomError('not_found')
  // Loaded by whoever is asked something: hundreds of modules, which starting need not wait for.
  const { Check } = await import('typebox/value')
  if (!Check(operation.input, input)) throw new StrongroomError('invalid_field')
  return await operation.run(input, context)
}

async function inputOf(request: IncomingMessage): Promise<unknown> {
  if (request.method !== 'POST') throw new StrongroomError('method_not_allowed')
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > maxInputBytes) throw new StrongroomError('body_too_large')
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString())
  } catch (cause) {
    throw new StrongroomError('bad_request', { cause })
  }
}

/** What the operator is told, and can act on: no fault of the service. */
function isRefusal(error: unknown): error is StrongroomError {
  return isStrongroomError(error) && statusOf(error.code) < 500
}

function problemOf(error: unknown): ControlProblem {
  if (!isStrongroomError(error)) return { code: 'internal' }
  return { code: error.code, detail: error.detail }
}
