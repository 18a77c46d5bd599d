import { createHash } from 'node:crypto'
import { combine, split } from 'shamir-secret-sharing'
import { StrongroomError } from '../errors/strongroom-error.js'
import { decodeBase32, encodeBase32 } from './base32.js'

/** Any `threshold` of `shares` open the backup; fewer say nothing of it. */
export interface ShareTerms {
  readonly kind: 'shares'
  readonly threshold: number
  readonly shares: number
}

export const shareLimits = { least: 2, most: 16 } as const

export interface Share extends Omit<ShareTerms, 'kind'> {
  /** UUID. */
  readonly backupId: string
  /** From 1. */
  readonly index: number
  /** 32 bytes of the share, and its place on the polynomial. */
  readonly part: Uint8Array
}

/*
 * The text of a share: `SR1-` and groups of four digits of base 32, of
 * 1 | backup id 16 | index 1 | threshold 1 | shares 1 | part 33 | first 4 bytes of the SHA-256 of these
 */
const version = 1
const prefix = 'SR1'
const headLength = 20
const partLength = 33
const checkLength = 4

/** @param secret 32 bytes */
export async function splitSecret(
  secret: Uint8Array,
  backupId: string,
  { threshold, shares }: Omit<ShareTerms, 'kind'>,
): Promise<Share[]> {
  const parts = await split(Uint8Array.from(secret), shares, threshold)
  return parts.map((part, at) => ({ backupId, index: at + 1, threshold, shares, part }))
}

/**
 * The secret of a backup, from shares of it.
 * @throws StrongroomError `conflict` where one is of another backup, is given twice, or there are too few
 */
export async function joinShares(
  given: readonly Share[],
  backupId: string,
  { threshold, shares }: Omit<ShareTerms, 'kind'>,
): Promise<Uint8Array> {
  for (const share of given) {
    if (share.backupId !== backupId) {
      throw refused(
        `Share ${share.index} is of another backup: ${share.backupId}, where ${backupId} is to be opened`,
      )
    }
    if (share.threshold !== threshold || share.shares !== shares) {
      throw refused(`Share ${share.index} does not say what the backup says of its shares`)
    }
  }
  const byIndex = new Map(given.map((share) => [share.index, share]))
  if (byIndex.size < given.length) throw refused('A share is given twice')
  if (byIndex.size < threshold) {
    throw refused(
      `Too few shares: ${byIndex.size} given, ${threshold} of ${shares} open this backup`,
    )
  }
  return await combine([...byIndex.values()].slice(0, threshold).map(({ part }) => part))
}

/** What is written down: for people, and the text that counts. */
export function renderShare(share: Share): string {
  return [
    'Strongroom: a share of a backup of the master keys. Keep it secret and safe.',
    `backup ${share.backupId}`,
    `share ${share.index} of ${share.shares}, any ${share.threshold} of which open it`,
    textOf(share),
    '',
  ].join('\n')
}

/**
 * Reads what `renderShare` wrote, or its last line alone, in either case and with or without dashes.
 * @throws StrongroomError `invalid_field` for what was mistyped or is no share; it never holds the text
 */
export function parseShare(text: string, name: string): Share {
  const lines = text.trim().split(/\r?\n/)
  const share = decode(lines.at(-1) ?? '')
  if (share === undefined) throw mistyped(name)
  if (lines.length > 1 && lines.join('\n') !== renderShare(share).trim()) throw mistyped(name)
  return share
}

function textOf({ backupId, index, threshold, shares, part }: Share): string {
  const id = Buffer.from(backupId.replaceAll('-', ''), 'hex')
  const bytes = Buffer.concat([Buffer.of(version), id, Buffer.of(index, threshold, shares), part])
  const digits = encodeBase32(Buffer.concat([bytes, checkOf(bytes)]))
  return [prefix, ...(digits.match(/.{1,4}/g) ?? [])].join('-')
}

function decode(line: string): Share | undefined {
  const text = line.replaceAll(/[\s-]/g, '').toUpperCase()
  if (!text.startsWith(prefix)) return undefined
  const all = decodeBase32(text.slice(prefix.length))
  const length = headLength + partLength
  if (all?.length !== length + checkLength || all[0] !== version) return undefined
  const bytes = all.subarray(0, length)
  if (!checkOf(bytes).equals(all.subarray(length))) return undefined
  const [index = 0, threshold = 0, shares = 0] = bytes.subarray(17, headLength)
  return {
    ...{ backupId: uuidOf(bytes.subarray(1, 17)), index, threshold, shares },
    part: Uint8Array.from(bytes.subarray(headLength)),
  }
}

function checkOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, checkLength)
}

/** RFC 9562 order. */
export function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function mistyped(name: string): StrongroomError {
  return new StrongroomError('invalid_field', {
    detail: `${name} is no share, or was mistyped: its check does not fit`,
  })
}

function refused(detail: string): StrongroomError {
  return new StrongroomError('conflict', { detail })
}
