import { StrongroomError } from '../errors/strongroom-error.js'

/** Why sealed bytes were refused. Closed: a reason may be added, never changed in meaning. */
export const cryptoReasons = {
  malformed: 'not a token of this format',
  unauthentic: 'the HMAC does not fit: another key, or changed bytes',
  padding: 'authentic, but the padding is wrong: another encryption key',
  label: 'authentic, but sealed as something else than what was asked for',
  length: 'authentic, but of another length than its place says',
  header: 'the header is not that of the sealed file asked for',
  cut: 'bytes are missing',
  trailing: 'bytes are left over',
} as const

export type CryptoReason = keyof typeof cryptoReasons

/** Where in a sealed file the fault lies. */
export interface SealedPlace {
  readonly sealedId?: string
  /** Index of the segment, or the sealed metadata. */
  readonly segment?: number | 'metadata'
}

/**
 * Sealed bytes or a key's text that cannot be opened. Its code is `damaged`; the room that asked
 * maps `reason` where another answer is due. `message` and `context` are for operators.
 */
export class CryptoError extends StrongroomError {
  readonly sealedId: string | undefined
  readonly segment: number | 'metadata' | undefined

  constructor(
    readonly reason: CryptoReason,
    place: SealedPlace = {},
  ) {
    super('damaged', { context: { reason, sealed_id: place.sealedId, segment: place.segment } })
    this.sealedId = place.sealedId
    this.segment = place.segment
    this.message = describe(reason, place)
  }
}

/** Runs `open`; a CryptoError that leaves it names `place`. */
export function locating<T>(place: SealedPlace, open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (error instanceof CryptoError) throw new CryptoError(error.reason, place)
    throw error
  }
}

function describe(reason: CryptoReason, { sealedId, segment }: SealedPlace): string {
  const file = sealedId === undefined ? '' : `sealed file ${sealedId}: `
  const part = typeof segment === 'number' ? `segment ${segment}: ` : ''
  const metadata = segment === 'metadata' ? 'metadata: ' : ''
  return `${file}${part}${metadata}${cryptoReasons[reason]}`
}
