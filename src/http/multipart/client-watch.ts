import type { IncomingMessage } from 'node:http'
import { setImmediate as afterReading } from 'node:timers'
import { StrongroomError } from '../../errors/strongroom-error.js'

export interface ClientLimits {
  /** Milliseconds without a byte while we wait for one. */
  readonly idleMs: number
  /** Mean rate asked of a client, over `ratePeriodMs` of waiting for it. */
  readonly minBytesPerSecond: number
  /** Milliseconds of waiting, 30 s if not given. */
  readonly ratePeriodMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ClientWatch {
  /**
   * Settles as `step` does, which counts as waiting for the client; rejects earlier where the
   * client stalls (`upload_idle`), the signal aborts (its reason), `fail` is called, or more than
   * `most` bytes come in before it settles (`onMost` makes the error).
   */
  during<T>(step: Promise<T>, most?: number, onMost?: () => Error): Promise<T>
  /** Makes the current step, or else the next one, reject. The first failure stays. */
  fail(error: Error): void
  /** Bytes of the body so far. */
  received(): number
  stop(): void
}

const defaultPeriodMs = 30_000

/**
 * Watches how fast `request`'s body comes in. Time in which nobody waits for a step is our own and
 * counts against nobody.
 */
export function watchClient(request: IncomingMessage, limits: ClientLimits): ClientWatch {
  let received = 0
  let lastByteAt = 0
  let waiting: Waiting | undefined
  let failure: Error | undefined
  const rate = slidingRate(limits.ratePeriodMs ?? defaultPeriodMs)

  function fail(error: Error) {
    failure ??= error
    waiting?.reject(failure)
  }
  function onData(chunk: Buffer) {
    received += chunk.length
    lastByteAt = performance.now()
    if (waiting !== undefined && received > waiting.most) fail(waiting.onMost())
  }
  function check() {
    if (waiting === undefined) return
    const now = performance.now()
    const idle = now - Math.max(lastByteAt, waiting.since) >= limits.idleMs
    const slow = rate.at(now - waiting.since, received) < limits.minBytesPerSecond
    if (idle || slow) fail(new StrongroomError('upload_idle'))
  }
  function onAbort() {
    fail(limits.signal?.reason as Error)
  }

  request.on('data', onData)
  // The check comes after what already lies in the socket is read: a process that was busy must
  // not blame its client.
  const timer = setInterval(() => afterReading(check), checkEvery(limits)).unref()
  limits.signal?.addEventListener('abort', onAbort)
  if (limits.signal?.aborted === true) onAbort()

  function during<T>(step: Promise<T>, most = Infinity, onMost = malformed): Promise<T> {
    const since = performance.now()
    const settled = new Promise<T>((resolve, reject) => {
      waiting = { since, most: received + most, onMost, reject }
      if (failure !== undefined) reject(failure)
      step.then(resolve, reject)
    })
    return settled.finally(() => {
      waiting = undefined
      rate.add(performance.now() - since)
    })
  }
  function stop() {
    clearInterval(timer)
    request.off('data', onData)
    limits.signal?.removeEventListener('abort', onAbort)
  }
  return { during, fail, received: () => received, stop }
}

interface Waiting {
  since: number
  /** Value of `received` past which the step fails. */
  most: number
  onMost: () => Error
  reject: (error: Error) => void
}

function malformed(): Error {
  return new StrongroomError('malformed_multipart')
}

function checkEvery({ idleMs, ratePeriodMs = defaultPeriodMs }: ClientLimits): number {
  return Math.max(10, Math.min(1_000, idleMs / 4, ratePeriodMs / 4))
}

/** Mean rate over the last `periodMs` of waiting time. */
function slidingRate(periodMs: number) {
  let waitedBefore = 0
  const samples = [{ waited: 0, received: 0 }]

  return {
    add(ms: number) {
      waitedBefore += ms
    },
    /** Bytes a second; Infinity until a whole period was waited. */
    at(waitingNow: number, received: number): number {
      const waited = waitedBefore + waitingNow
      samples.push({ waited, received })
      while (samples[1] !== undefined && waited - samples[1].waited >= periodMs) samples.shift()
      const first = samples[0]
      if (first === undefined || waited - first.waited < periodMs) return Infinity
      return ((received - first.received) * 1_000) / (waited - first.waited)
    },
  }
}
