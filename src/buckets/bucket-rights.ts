import type { Actor, AuditFacts } from '../audit/audit-events.js'
import type { AuditLog } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { PermissionBook } from '../people/permission-book.js'
import { mayOnObject, type ObjectAction, type PermittedTerms } from '../people/policy.js'

/** What somebody wants to do with one object. */
export interface ObjectWish {
  readonly action: ObjectAction
  readonly bucket: string
  readonly key: string
}

/** What a refusal is put on record as. */
export type RefusedAs = Omit<AuditFacts, 'outcome' | 'reason'>

/** What the permissions of this moment say; no role says anything. */
export interface BucketRights {
  /** @throws StrongroomError `not_found` without a permission in the bucket, else `forbidden`; on record */
  check(actor: Actor, wish: ObjectWish, refusedAs: RefusedAs): Promise<void>
  /** The same as an answer, asked again while something is under way. */
  holds(actor: Actor, wish: ObjectWish): Promise<boolean>
  termsOf(actor: Actor, bucket: string): Promise<readonly PermittedTerms[]>
  /** Its name for the log, where it is one: what else somebody sends may be anything. */
  named(bucket: string): string | undefined
  /** @throws StrongroomError `code`, on record */
  refuse(actor: Actor, code: 'not_found' | 'forbidden', refusedAs: RefusedAs): Promise<never>
}

interface Dependencies {
  readonly audit: AuditLog
  readonly permissions: Pick<PermissionBook, 'termsOf'>
  /** Those there are. */
  readonly buckets: readonly string[]
}

export function bucketRights({ audit, permissions, buckets }: Dependencies): BucketRights {
  // One that is no longer in BUCKETS is there for nobody.
  const termsOf: BucketRights['termsOf'] = async ({ userId }, bucket) =>
    buckets.includes(bucket) ? await permissions.termsOf(userId, bucket) : []
  const decide = async (actor: Actor, { action, bucket, key }: ObjectWish) =>
    mayOnObject(action, { key, permissions: await termsOf(actor, bucket) })
  const refuse: BucketRights['refuse'] = async (actor, code, refusedAs) => {
    await audit.note(actor, { ...refusedAs, outcome: 'denied', reason: code })
    throw new StrongroomError(code)
  }
  return {
    check: async (actor, wish, refusedAs) => {
      const decision = await decide(actor, wish)
      if (decision.allow) return
      await refuse(actor, decision.code === 'forbidden' ? 'forbidden' : 'not_found', refusedAs)
    },
    holds: async (actor, wish) => (await decide(actor, wish)).allow,
    termsOf,
    named: (bucket) => (buckets.includes(bucket) ? bucket : undefined),
    refuse,
  }
}
