import { createHash, createHmac } from 'node:crypto'
import { type AuditKeys } from './event-code.js'
import type { CodedSeal, Seal } from './ports.js'

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
