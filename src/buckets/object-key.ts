import { StrongroomError } from '../errors/strongroom-error.js'

/** Of UTF-8, as in S3. */
const MAX_BYTES = 1_024
const MAX_FOLDERS = 64

/** Control characters, and halves of characters, which UTF-8 cannot say. */
const unfit = /[\p{Cc}\p{Cs}]/u

/**
 * The key of an object, as it is: taken or refused, never changed.
 * @throws StrongroomError `invalid_field`
 */
export function objectKeyOf(key: string): string {
  if (isPath(key)) return key
  throw new StrongroomError('invalid_field', {
    detail: `object_key: at most ${MAX_BYTES} bytes in at most ${MAX_FOLDERS} folders, no part of it empty, . or .., no control characters`,
  })
}

/**
 * The folder a list is asked for: a prefix with or without its last `/`; empty: the bucket itself.
 * @throws StrongroomError `invalid_field`
 */
export function folderIn(prefix: string): string {
  const folder = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  if (prefix === '' || isPath(folder)) return folder
  throw new StrongroomError('invalid_field', { detail: 'prefix: a folder of object keys' })
}

function isPath(path: string): boolean {
  if (Buffer.byteLength(path) > MAX_BYTES || unfit.test(path)) return false
  const parts = path.split('/')
  return parts.length <= MAX_FOLDERS + 1 && parts.every((part) => !['', '.', '..'].includes(part))
}

/** What it is directly in; empty: the bucket itself. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

/** The folders a key is in, the outermost first. */
export function foldersOf(key: string): string[] {
  const parts = key.split('/').slice(0, -1)
  return parts.map((_part, at) => parts.slice(0, at + 1).join('/'))
}

/** What is directly in `folder` on the way to `path`, which is below it. */
export function nextOnTheWay(folder: string, path: string): string {
  const from = folder === '' ? 0 : folder.length + 1
  const end = path.indexOf('/', from)
  return end < 0 ? path : path.slice(0, end)
}
