import type { Socket } from 'node:net'
import type { ErrorCode } from '../errors/error-codes.js'

/**
 * Where rooms say what is to be counted. Words are of closed lists: never an id, a name or a URL. No call
 * throws.
 */
export interface Meter {
  /** A file was sealed: its bytes, and the seconds that took without waiting for its sender or the storage. */
  sealed(bytes: number, seconds: number): void
  /** Bytes of a file were opened: with the seconds of reading and opening them, not of sending. */
  opened(bytes: number, seconds: number): void
  /** An upload was refused for lack of a slot. */
  uploadRefused(): void
  /** A person's key was asked for: in memory, unwrapped for it, or in memory past its time in an outage. */
  keyLookedUp(found: KeyFound): void
  /** Events of the audit log were sealed. */
  eventsSealed(events: number): void
  /** A call to the storage is tried again. */
  storageRetried(retry: StorageRetry): void
}

export const keyFinds = ['hit', 'miss', 'bridged'] as const
export type KeyFound = (typeof keyFinds)[number]

export const retryReasons = ['throttled', 'timeout', 'server', 'network', 'other'] as const

export interface StorageRetry {
  /** As `BlobStore` calls it; others are counted as one. */
  readonly operation: string
  readonly reason: (typeof retryReasons)[number]
}

export interface AnsweredRequest {
  readonly method: string
  /** The route's pattern; `unmatched` where there is none. */
  readonly route: string
  readonly status: number
  readonly seconds: number
  /** The connection went before all of the answer was sent. */
  readonly isBrokenOff: boolean
}

/** Where the HTTP layer says what is to be counted. */
export interface HttpMeter {
  connected(socket: Socket): void
  /** The answer is to be called when the request is over. */
  began(): (request: AnsweredRequest) => void
  /** A request was answered with this problem. */
  refused(code: ErrorCode): void
}

/** What is measured, as Prometheus reads it. */
export interface Scrape {
  readonly contentType: string
  readonly text: string
}
