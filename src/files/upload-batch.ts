import type { Actor } from '../audit/audit-events.js'
import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'
import { committing } from './commit-upload.js'
import { verifyDigests } from './content-digest.js'
import type { FileSummary } from './file-summary.js'
import type { IncomingPart } from './receive-form.js'
import { commitFile, type UploadDependencies } from './upload-file.js'

/** What became of one part: the file, or the reason it was refused. */
export type BatchResult = { readonly file: FileSummary } | { readonly error: StrongroomError }

export type UploadBatch = (
  actor: Actor,
  parts: AsyncIterable<IncomingPart>,
) => Promise<BatchResult[]>

/**
 * Several files, each committed by itself as it comes; one bad part spoils no other. What the service
 * cannot do now (5xx) and a broken body end the batch: files before it stay. What comes after a part
 * far too large is not read.
 */
export function uploadBatch(use: UploadDependencies): UploadBatch {
  const commit = commitFile(use)
  const one = async (actor: Actor, part: IncomingPart): Promise<FileSummary> => {
    if (part.kind === 'field' || part.name !== 'file') {
      throw new StrongroomError('unknown_field', { detail: 'Parts are called file.' })
    }
    const sealed = await use.seal(part, use.limits)
    if (sealed.declaredDigest !== undefined) {
      const { declaredDigest, sha256 } = sealed
      await checking(sealed, () => {
        verifyDigests(sha256, [declaredDigest])
      })
    }
    const claim = { replayOf: () => undefined, complete: () => Promise.resolve() }
    return await commit(actor, sealed, { label: null, notes: null }, claim)
  }
  return async (actor, parts) =>
    await use.slots.run(async () => {
      const results: BatchResult[] = []
      let files = 0
      try {
        for await (const part of parts) {
          if (part.kind === 'file') files += 1
          results.push(await resultOf(() => one(actor, part)))
        }
      } catch (error) {
        // The rest of a part that is on the list as too large is not read past for ever.
        if (!isStrongroomError(error, 'file_too_large')) throw error
      }
      if (files === 0) throw new StrongroomError('file_missing')
      return results
    })
}

/** What became of one part; throws what ends the batch. */
async function resultOf(upload: () => Promise<FileSummary>): Promise<BatchResult> {
  try {
    return { file: await upload() }
  } catch (error) {
    if (!isStrongroomError(error) || !spoilsOnlyItself(error)) throw error
    return { error }
  }
}

const spoiling = new Set([
  'body_incomplete',
  'malformed_multipart',
  'upload_idle',
  'too_many_parts',
  'internal',
])

function spoilsOnlyItself(error: StrongroomError): boolean {
  return !spoiling.has(error.code) && !error.code.endsWith('_unavailable')
}

/** Discards what was sealed where `check` refuses it. */
async function checking(sealed: Parameters<typeof committing>[0], check: () => void) {
  try {
    check()
  } catch (error) {
    sealed.close()
    await sealed.discard()
    throw error
  }
}
