import { randomUUID, timingSafeEqual } from 'node:crypto'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { Transactions } from '../ports/transactions.js'
import type { IdempotencyRow, IdempotencyStore } from './ports.js'

const wellFormed = /^[\x21-\x7e]{1,255}$/

/** A claim on an Idempotency-Key for one request. */
export interface IdempotencyClaim {
  /** The resource an earlier request with this key made, where it had the same content. */
  replayOf(content: string): string | undefined
  /**
   * Keeps what this request made; in its transaction. Throws `in_progress` where the claim has passed
   * to another request meanwhile: the transaction must not commit.
   */
  complete(store: IdempotencyStore, content: string, resourceId: string): Promise<void>
}

export interface Idempotency {
  /**
   * Runs `work` under the claim of a key, or without one where the caller sent none. `content` given to
   * the claim stands for fields and digest; the store keeps a keyed hash of it.
   * Throws `in_progress`, `idempotency_mismatch`, `invalid_field`.
   */
  run<T>(
    caller: { readonly userId: string; readonly route: string; readonly key: string | undefined },
    work: (claim: IdempotencyClaim) => Promise<T>,
  ): Promise<T>
}

/** Whose keys they are: a service that acts for a person has its own. */
export function callerOf(actor: {
  readonly userId: string
  readonly service?: string | undefined
}): string {
  return actor.service === undefined ? actor.userId : `${actor.service}\n${actor.userId}`
}

const noClaim: IdempotencyClaim = {
  replayOf: () => undefined,
  complete: () => Promise.resolve(),
}

interface Dependencies {
  readonly db: Transactions<{ idempotency: IdempotencyStore }>
  readonly hash: Pick<IndexHash, 'of'>
  /** How long a claim outlives a process that was killed: a client's retry waits so long. */
  readonly leaseMs?: number
  /** Told of a claim that could not be renewed or given back: it ends by itself. */
  readonly onProblem: (error: unknown) => void
}

export function idempotency({ db, hash, leaseMs = 20_000, onProblem }: Dependencies): Idempotency {
  const fingerprint = (content: string) => hash.of('idempotency-content', content)
  return {
    run: async ({ userId, route, key }, work) => {
      if (key === undefined) return await work(noClaim)
      if (!wellFormed.test(key)) {
        throw new StrongroomError('invalid_field', {
          detail: 'Idempotency-Key: 1 to 255 visible ASCII characters',
        })
      }
      const row: IdempotencyRow = {
        callerId: userId,
        route,
        keyHash: hash.of('idempotency-key', key),
        claimId: randomUUID(),
      }
      const state = await db.stores.idempotency.begin(row, leaseMs)
      if (state.kind === 'in_progress') throw inProgress()
      if (state.kind === 'done') {
        return await work({
          ...noClaim,
          replayOf: (content) => replay(state, fingerprint(content)),
        })
      }
      const renewing = setInterval(() => {
        // One that fails is made up for by the next, well before the lease ends.
        db.stores.idempotency.renew(row, leaseMs).catch(onProblem)
      }, leaseMs / 4)
      try {
        return await work({
          replayOf: () => undefined,
          complete: async (store, content, id) => {
            if (!(await store.complete(row, fingerprint(content), id, new Date()))) {
              throw inProgress()
            }
          },
        })
      } catch (error) {
        await db.stores.idempotency.abandon(row).catch(onProblem)
        throw error
      } finally {
        clearInterval(renewing)
      }
    },
  }
}

function inProgress(): StrongroomError {
  return new StrongroomError('in_progress', { retryAfter: 1 })
}

function replay(done: { fingerprint: Buffer; resourceId: string }, found: Buffer): string {
  if (!timingSafeEqual(done.fingerprint, found)) throw new StrongroomError('idempotency_mismatch')
  return done.resourceId
}
