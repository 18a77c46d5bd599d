import { createInterface } from 'node:readline'
import { Client } from 'undici'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { ControlLine } from './control-socket.js'
import type { OperationContext } from './operation.js'

/** What it means that nobody listens: no socket, or one left by a process that is gone. */
const nobody = new Set(['ENOENT', 'ECONNREFUSED'])

/**
 * Has the service that listens at `path` carry out an operation; nothing where none listens.
 * @throws StrongroomError the service's, `internal` where it went away in the middle, `forbidden` where
 * the socket is another user's
 */
export async function askService(
  path: string,
  name: string,
  input: unknown,
  { signal, progress }: OperationContext,
): Promise<{ readonly result: unknown } | undefined> {
  // Steps may be far apart.
  const client = new Client('http://control', {
    socketPath: path,
    bodyTimeout: 0,
    headersTimeout: 0,
  })
  try {
    const { body } = await client.request({
      method: 'POST',
      path: `/operations/${name}`,
      body: JSON.stringify(input),
      signal,
    })
    for await (const text of createInterface({ input: body })) {
      const line = JSON.parse(text) as ControlLine
      if ('progress' in line) progress(line.progress)
      else if ('result' in line) return { result: line.result }
      else throw problemFrom(line)
    }
    throw wentAway()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (nobody.has(code)) return undefined
    if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET') throw wentAway()
    if (code === 'EACCES') {
      throw new StrongroomError('forbidden', { detail: 'The control socket is another user’s' })
    }
    throw error
  } finally {
    await client.destroy()
  }
}

function wentAway(): StrongroomError {
  return new StrongroomError('internal', { detail: 'The service ended before it was done' })
}

function problemFrom({ problem: { code, detail } }: Extract<ControlLine, { problem: unknown }>) {
  return new StrongroomError(code, detail === undefined ? {} : { detail })
}
