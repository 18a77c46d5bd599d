import { StrongroomError } from '../../errors/strongroom-error.js'
import type { FilePart, UploadPart } from './read-upload.js'

/** A form as S3 takes it by POST: fields that say what comes, then the file, then nothing that counts. */
export interface PostedForm {
  /** By name in lower case. */
  readonly fields: ReadonlyMap<string, string>
  readonly file: Pick<FilePart, 'contentType' | 'contentDigest'>
  /** The file's; to be read once. Ends only where the whole form did. */
  readonly bytes: AsyncIterable<Buffer>
}

/**
 * Reads up to the part `file` and lets `take` read on. What stands after it is read past, as S3 does.
 * @throws StrongroomError `file_missing`, `invalid_field` (one given twice), and what reading or `take` throws
 */
export async function withPostedForm<T>(
  parts: AsyncIterable<UploadPart>,
  take: (form: PostedForm) => Promise<T>,
): Promise<T> {
  const each = parts[Symbol.asyncIterator]()
  try {
    const fields = new Map<string, string>()
    const file = await untilFile(each, fields)
    return await take({ fields, file, bytes: throughTheEnd(file, each) })
  } finally {
    await each.return?.()
  }
}

async function untilFile(
  each: AsyncIterator<UploadPart>,
  fields: Map<string, string>,
): Promise<FilePart> {
  for (;;) {
    const step = await each.next()
    if (step.done === true) throw new StrongroomError('file_missing')
    const part = step.value
    if (part.kind === 'file') {
      if (part.name === 'file') return part
      throw new StrongroomError('file_missing', { detail: 'The file comes in a part `file`.' })
    }
    const name = part.name.toLowerCase()
    if (fields.has(name)) {
      throw new StrongroomError('invalid_field', { detail: 'A field is given more than once.' })
    }
    fields.set(name, part.value)
  }
}

async function* throughTheEnd(
  file: FilePart,
  rest: AsyncIterator<UploadPart>,
): AsyncGenerator<Buffer, void> {
  yield* file.bytes
  for (;;) {
    const step = await rest.next()
    if (step.done === true) return
  }
}
