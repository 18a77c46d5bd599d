import type { Form } from './form.js'
import type { Source } from './source.js'

/** Bytes on their way to the service. */
export interface Transmission {
  readonly method: 'POST' | 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly source: Source
  /** Around the bytes; absent: they go as they are. */
  readonly form: Form | undefined
  /** 64 hexadecimal digits, where the caller knows them; false: no digest is made. */
  readonly sha256: string | false | undefined
  readonly signal: AbortSignal | undefined
  /** Told of bytes of the source that were handed to the connection, from 0 in each attempt. */
  readonly onSent: (bytes: number) => void
  /** Told once all of the source was read. */
  readonly onRead: (read: WasRead) => void
}

export interface WasRead {
  readonly bytes: number
  /** Of the bytes, where one was made or given. */
  readonly sha256: string | undefined
}

/**
 * Sends it once; the answer, whatever its status. Throws `ConnectionError`, the signal's reason, and what the source
 * throws.
 */
export type Transmit = (transmission: Transmission) => Promise<Response>
