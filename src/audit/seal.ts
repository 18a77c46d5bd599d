import { createHash, createHmac } from 'node:crypto'
import type { AuditKeys } from './event-code.js'

/**
 * What one process wrote since its last seal, closed by those who hold the keys. Seals of all processes
 * are one chain: each has the digest of the one before it.
 */
export interface Seal {
  /** From 1, without gaps. */
  readonly number: number
  /** Digest of the seal before it; 32 zero bytes before the first. */
  readonly previous: Uint8Array
  readonly writerId: string
  /** The lowest number it tells of. */
  readonly firstNumber: number
  /** Numbers of the events in it: `1-5,7`. */
  readonly included: string
  /** Numbers that no event has: their transactions came to nothing. */
  readonly unused: string
  /** Numbers whose events were committed and were gone when another process sealed for a dead one. */
  readonly missing: string
  /** Events in it. */
  readonly events: number
  /** Events in this and all earlier ones. */
  readonly total: number
  /** Of the tree over their codes, in the order of their numbers. */
  readonly root: Uint8Array
  /** Earliest and latest time of its events; of an empty one, when it was made. */
  readonly firstAt: Date
  readonly lastAt: Date
  readonly sealedAt: Date
  /** Made by another process, for a writer that is gone. */
  readonly isAdopted: boolean
}

export interface CodedSeal extends Seal {
  /** HMAC-SHA-256. */
  readonly code: Uint8Array
}

export const NO_SEAL = Buffer.alloc(32)

/** Of a chain: its last seal, or none. */
export interface Head {
  readonly number: number
  readonly digest: Uint8Array
  readonly total: number
}

export const START: Head = { number: 0, digest: NO_SEAL, total: 0 }

export function codeSeal(keys: Pick<AuditKeys, 'seals'>, seal: Seal): CodedSeal {
  return { ...seal, code: sealCode(keys, seal) }
}

export function sealCode(keys: Pick<AuditKeys, 'seals'>, seal: Seal): Buffer {
  return createHmac('sha256', keys.seals).update(sealText(seal)).digest()
}

export function headOf(seal: CodedSeal): Head {
  const digest = createHash('sha256').update(sealText(seal)).update(seal.code).digest()
  return { number: seal.number, digest, total: seal.total }
}

/** 0 where it tells of none. */
export function firstNumberOf(seal: Pick<Seal, 'included' | 'unused' | 'missing'>): number {
  const firsts = [seal.included, seal.unused, seal.missing].flatMap((ranges) => {
    const first = Number.parseInt(ranges, 10)
    return Number.isNaN(first) ? [] : [first]
  })
  return firsts.length === 0 ? 0 : Math.min(...firsts)
}

/** Binary values in hexadecimal, times in milliseconds (docs/FORMAT.md, "Audit"). */
function sealText(seal: Seal): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  return JSON.stringify([
    ...[seal.number, hex(seal.previous), seal.writerId, seal.firstNumber, seal.included],
    ...[seal.unused, seal.missing],
    ...[seal.events, seal.total, hex(seal.root), seal.firstAt.getTime(), seal.lastAt.getTime()],
    ...[seal.sealedAt.getTime(), seal.isAdopted],
  ])
}
