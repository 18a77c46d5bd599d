import { createHash } from 'node:crypto'
import type { FernetKey } from '../crypto/fernet-key.js'
import type { KeyFound } from '../ports/meter.js'
import { isAway } from './keys-unavailable.js'
import type { UserKeyRow } from './ports.js'

export interface KeyCacheLimits {
  /** Milliseconds an unwrapped key serves before it is unwrapped again. */
  readonly freshMs: number
  /** Milliseconds after which it was unwrapped it goes on serving while the provider is away. */
  readonly outageMs: number
  readonly size: number
}

interface Entry {
  readonly key: FernetKey
  /** `performance.now()` */
  readonly unwrappedAt: number
}

/**
 * Unwrapped keys by person, version and hash of the wrapping: a changed row is never served from
 * memory. Who asks for the same key at the same time shares one unwrapping. A refusal of the provider
 * ends a key that is no longer fresh; only an outage is bridged.
 */
export class KeyCache {
  /** In the order of their unwrapping. */
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Map<string, Promise<FernetKey>>()

  /** @param onLookup told where each key that was asked for came from */
  constructor(
    readonly limits: KeyCacheLimits,
    readonly onLookup?: (found: KeyFound) => void,
  ) {}

  async get(row: UserKeyRow, unwrap: () => Promise<FernetKey>): Promise<FernetKey> {
    const digest = createHash('sha256').update(row.wrapped).digest('base64')
    const name = JSON.stringify([row.userId, row.version, digest])
    const found = this.#entries.get(name)
    if (found !== undefined && isWithin(found, this.limits.freshMs)) {
      this.onLookup?.('hit')
      return found.key
    }
    const running =
      this.#running.get(name) ??
      this.#unwrap(name, unwrap).finally(() => this.#running.delete(name))
    this.#running.set(name, running)
    return await running
  }

  async #unwrap(name: string, unwrap: () => Promise<FernetKey>): Promise<FernetKey> {
    try {
      const key = await unwrap()
      this.onLookup?.('miss')
      this.#remember(name, key)
      return key
    } catch (error) {
      const found = this.#entries.get(name)
      if (found !== undefined && isAway(error) && isWithin(found, this.limits.outageMs)) {
        this.onLookup?.('bridged')
        return found.key
      }
      this.#entries.delete(name)
      throw error
    }
  }

  /** Keys that fall out are left to the collector: a reader may still be using them. */
  #remember(name: string, key: FernetKey): void {
    const { freshMs, outageMs, size } = this.limits
    this.#entries.delete(name)
    this.#entries.set(name, { key, unwrappedAt: performance.now() })
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= size && isWithin(entry, Math.max(freshMs, outageMs))) break
      this.#entries.delete(oldest)
    }
  }
}

function isWithin({ unwrappedAt }: Entry, ms: number): boolean {
  return performance.now() - unwrappedAt < ms
}
