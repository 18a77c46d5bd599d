import { StrongroomError } from '../errors/strongroom-error.js'
import { parseHexDigest, verifyDigests } from './content-digest.js'
import type { IncomingFile, SealedUpload } from './seal-incoming.js'

/** Parts of a form in the order they come; a file is to be read before the next part is asked for. */
export type IncomingPart =
  | { readonly kind: 'field'; readonly name: string; readonly value: string }
  | ({ readonly kind: 'file'; readonly name: string } & IncomingFile)

export interface ReceivedForm {
  readonly fields: ReadonlyMap<string, string>
  readonly sealed: SealedUpload
}

/** Fields any upload may have, with the most characters they hold. */
export const describingFields = { label: 255, notes: 4000, sha256: 64 } as const

interface FormOptions {
  /** Names of the fields that are known here. */
  readonly known: readonly string[]
  /** Digest from the request's own header. */
  readonly headerDigest: Buffer | undefined
  /** Called with the fields that came before the file. */
  readonly seal: (file: IncomingFile, before: ReadonlyMap<string, string>) => Promise<SealedUpload>
}

/**
 * Reads a form of fields and one part `file`, in any order, and verifies every digest given. What was
 * sealed is discarded when the rest of the form is refused.
 * Throws `file_missing`, `too_many_parts`, `unknown_field`, `invalid_field`, `digest_mismatch`.
 */
export async function receiveForm(
  parts: AsyncIterable<IncomingPart>,
  options: FormOptions,
): Promise<ReceivedForm> {
  const fields = new Map<string, string>()
  let sealed: SealedUpload | undefined
  try {
    for await (const part of parts) {
      if (part.kind === 'field') {
        addField(fields, part.name, part.value, options.known)
        continue
      }
      if (part.name !== 'file') throw unknownField()
      if (sealed !== undefined) throw new StrongroomError('too_many_parts')
      sealed = await options.seal(part, fields)
    }
    if (sealed === undefined) throw new StrongroomError('file_missing')
    verifyDigests(sealed.sha256, digestsOf(fields, sealed, options.headerDigest))
    return { fields, sealed }
  } catch (error) {
    sealed?.close()
    await sealed?.discard()
    throw error
  }
}

/** A field's text: absent where empty. */
export function textOf(fields: ReadonlyMap<string, string>, name: string): string | null {
  const value = fields.get(name)
  return value === undefined || value === '' ? null : value
}

/** @throws StrongroomError `invalid_field` for a text too long or holding NUL */
export function checkText(name: string, value: string, most: number): void {
  if (value.length > most || value.includes('\0')) {
    throw new StrongroomError('invalid_field', { detail: `${name}: at most ${most} characters` })
  }
}

function addField(
  fields: Map<string, string>,
  name: string,
  value: string,
  known: readonly string[],
): void {
  if (!known.includes(name)) throw unknownField()
  if (fields.has(name)) {
    throw new StrongroomError('invalid_field', { detail: `${name}: given more than once` })
  }
  const most = new Map<string, number>(Object.entries(describingFields)).get(name) ?? 128
  checkText(name, value, most)
  fields.set(name, value)
}

function unknownField(): StrongroomError {
  const detail = 'A field of this name is not known here.'
  return new StrongroomError('unknown_field', { detail })
}

function digestsOf(
  fields: ReadonlyMap<string, string>,
  sealed: SealedUpload,
  headerDigest: Buffer | undefined,
): Buffer[] {
  const field = fields.get('sha256')
  return [
    field === undefined ? undefined : parseHexDigest(field),
    sealed.declaredDigest,
    headerDigest,
  ].filter((digest) => digest !== undefined)
}
