import { type Static, Type } from 'typebox'
import type { LegalHolds } from '../erasure/holds.js'
import type { ErasureCounts } from '../erasure/ports.js'
import type { ShredPreview, ShredTarget } from '../erasure/shred.js'
import type { PurgeDue } from '../files/purge-due.js'
import { operation } from './operation.js'
import { type ShredByHandDependencies, shredByHand } from './shred-by-hand.js'

const closed = { additionalProperties: false }
const id = Type.String({ minLength: 1, maxLength: 128 })
const nothing = Type.Object({}, closed)
const subject = { file_id: Type.Optional(id), person_id: Type.Optional(id) }
const target = Type.Object(
  { ...subject, version: Type.Optional(Type.Integer({ minimum: 1 })) },
  closed,
)

export interface ErasureDependencies extends ShredByHandDependencies {
  readonly purge: PurgeDue
  readonly holds: LegalHolds
  readonly previewShred: (target: ShredTarget) => Promise<ShredPreview>
  readonly beginShred: (
    target: ShredTarget,
    by: string,
    options: { readonly rewrite?: boolean | undefined },
  ) => Promise<string>
  readonly issueCertificate: (erasureId: string) => Promise<string>
  readonly signingKey: { readonly keyId: string; readonly publicKey: string }
}

/** Purging what is due, holding it back, and destroying before it is due. */
export function erasureOperations(use: ErasureDependencies) {
  return {
    purge: operation(nothing, (_input, { signal, progress }) =>
      use.purge(new Date(), {
        signal,
        progress: (done) => {
          progress({ done })
        },
      }),
    ),
    ...holdOperations(use),
    ...shredOperations(use),
    certificate: operation(Type.Object({ erasure_id: id }, closed), async ({ erasure_id }) => ({
      certificate: await use.issueCertificate(erasure_id),
    })),
    'certificate-key': operation(nothing, () =>
      Promise.resolve({ key_id: use.signingKey.keyId, public_key: use.signingKey.publicKey }),
    ),
  }
}

function holdOperations({ holds }: Pick<ErasureDependencies, 'holds'>) {
  return {
    'hold-place': operation(Type.Object({ ...subject, reference: id, by: id }, closed), (input) =>
      holds.place({
        fileId: input.file_id,
        personId: input.person_id,
        reference: input.reference,
        by: input.by,
      }),
    ),
    'hold-release': operation(Type.Object({ hold_id: id, by: id }, closed), ({ hold_id, by }) =>
      holds.release(hold_id, by),
    ),
    'hold-list': operation(
      Type.Object({ released_too: Type.Boolean() }, closed),
      async ({ released_too }) => ({ holds: await holds.list({ releasedToo: released_too }) }),
    ),
  }
}

function shredOperations(use: ErasureDependencies) {
  const finish = shredByHand(use)
  return {
    'shred-preview': operation(target, async (input) => {
      const { isHeld, recordsClosed, ...counts } = await use.previewShred(targetOf(input))
      return { ...summarize(counts), records_closed: recordsClosed, legal_hold: isHeld }
    }),
    'shred-begin': operation(
      Type.Object({ target, by: id, rewrite: Type.Optional(Type.Boolean()) }, closed),
      async ({ target, by, rewrite }) => ({
        erasure_id: await use.beginShred(targetOf(target), by, { rewrite }),
      }),
    ),
    'shred-finish': operation(
      Type.Object({ erasure_id: Type.String({ format: 'uuid' }), rewrite: Type.Boolean() }, closed),
      async ({ erasure_id, rewrite }, context) => {
        const row = await finish(erasure_id, rewrite, context)
        return {
          ...{ erasure_id, old_copies: row.oldCopies, left_because: row.leftBecause ?? null },
          ...summarize(row),
        }
      },
    ),
  }
}

function targetOf({ file_id, version, person_id }: Static<typeof target>): ShredTarget {
  return { fileId: file_id, version, personId: person_id }
}

function summarize(counts: ErasureCounts) {
  return {
    user_keys: counts.userKeys,
    file_keys: counts.fileKeys,
    files: counts.files,
    versions: counts.versions,
    records_kept: counts.recordsKept,
  }
}
