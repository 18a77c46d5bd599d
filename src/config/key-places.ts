import { type Kind, list, WrongValue } from './kinds.js'

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const kmsKey = new RegExp(
  `^(?:arn:aws[\\w-]*:kms:([a-z0-9-]+):\\d{12}:key/)?(${uuid}|mrk-[0-9a-f]{32})$`,
)

const kmsKeyId: Kind<string> = (value) => {
  if (!kmsKey.test(value)) {
    throw new WrongValue(
      'ids or ARNs of KMS keys, separated by commas; an alias may change its key',
    )
  }
  return value
}

/** KMS keys, the first of which wraps; each key once, by whatever name. */
export const kmsKeyIds: Kind<readonly string[]> = (value) => {
  const ids = list(kmsKeyId)(value)
  const names = new Set(ids.map((id) => kmsKey.exec(id)?.[2]))
  if (names.size !== ids.length) throw new WrongValue('each KMS key once')
  return ids
}

/** The region an ARN names; undefined for a bare id. */
export function regionOfKmsKey(id: string): string | undefined {
  return kmsKey.exec(id)?.[1]
}

const transitKeyPattern = /^(\w(?:[\w.-]{0,126}\w)?):([1-9]\d{0,8})$/

const transitKey: Kind<string> = (value) => {
  if (!transitKeyPattern.test(value)) {
    throw new WrongValue('keys with their version, as in name:1, separated by commas')
  }
  return value
}

/** Versions of Vault's Transit keys as `name:version`, the first of which wraps. */
export const transitKeys: Kind<readonly string[]> = list(transitKey)

/** The name and version in one of `transitKeys`. */
export function transitKeyOf(text: string): { name: string; version: number } {
  const [, name = '', version] = transitKeyPattern.exec(text) ?? []
  return { name, version: Number(version) }
}
