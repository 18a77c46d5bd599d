import { StrongroomError } from '../errors/strongroom-error.js'

/** Sealed bytes held open. What was opened stays readable while it is removed under its reader. */
export interface SealedBlob {
  /** Bytes. */
  readonly length: number
  /**
   * The bytes `start` ≤ i < `end`, in order, in pieces of at most 256 KiB that are the reader's to keep.
   * May be called again, also while another reading runs. RangeError outside 0 ≤ start ≤ end ≤ length;
   * `damaged` where the bytes end early, `storage_unavailable` where they cannot be read now.
   */
  read(start: number, end: number): AsyncIterable<Uint8Array>
  /** Gives the descriptor back, once reads under way are done. Idempotent. */
  close(): Promise<void>
}

export interface StoredBlob {
  readonly id: string
  /** Bytes. */
  readonly length: number
  readonly modifiedAt: Date
}

/**
 * Keeps sealed bytes under sealed ids: random UUIDs (version 4, lower case) that say nothing of a
 * person. Bytes are written once and never changed. Every call throws `damaged` for a malformed id
 * and `storage_unavailable` where the storage cannot do its work now.
 */
export interface BlobStore {
  /**
   * Durable when it resolves; nothing left behind when it rejects, also when `bytes` throws (that
   * error is passed on) or `signal` aborts (its reason is). Asks for the next chunk while the last one
   * is being written, and holds at most 1 MiB: a source must not overwrite what it gave. `internal`
   * where the id is taken: stored bytes are never replaced.
   */
  put(
    id: string,
    bytes: AsyncIterable<Uint8Array>,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<{ length: number }>
  /** `damaged` with `sealed_id` in its context where there is nothing under this id. */
  open(id: string): Promise<SealedBlob>
  /** Destroys bytes, also those set aside. Idempotent; lasting when it resolves. */
  remove(id: string): Promise<void>
  /** Every complete blob, in the order of ids. Blobs put or removed meanwhile may be missing. */
  list(): AsyncIterable<StoredBlob>
  /**
   * Takes bytes out of the list without destroying them; `open` brings them back where they are asked
   * for after all. Idempotent; lasting when it resolves.
   */
  setAside(id: string): Promise<void>
  /** Destroys, or only counts, what was set aside so long ago; how many there were. */
  removeAside(olderThanMs: number, options?: { readonly dryRun: boolean }): Promise<number>
  /** Removes, or only counts, what killed processes left half written and is untouched for this long. */
  removeDebris(olderThanMs: number, options?: { readonly dryRun: boolean }): Promise<number>
  /** Resolves where a put would find its place now: for readiness. */
  check(): Promise<void>
}

const sealedId = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

export function isSealedId(text: string): boolean {
  return sealedId.test(text)
}

/** The gate before any path or key: `damaged` for all that is not a sealed id. */
export function assertSealedId(id: string): void {
  if (!isSealedId(id)) throw new StrongroomError('damaged', { cause: 'malformed sealed id' })
}
