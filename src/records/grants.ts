import { randomUUID } from 'node:crypto'
import type { Actor } from '../audit/audit-events.js'
import { type AuditLog, auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import { newGrant } from '../files/commit-upload.js'
import type { FileEntry, FileStore, GrantRow, HeldGrant } from '../files/ports.js'
import type { KeyRing } from '../keys/key-ring.js'
import { mayGrantTerms, mayRevoke } from '../people/policy.js'
import { isPersonId } from '../people/portal-id.js'
import type { Transactions } from '../ports/transactions.js'
import type { RecordStores } from './ports.js'
import type { RecordAccess } from './record-access.js'
import { type GrantSummary, summarizeGrant } from './record-summary.js'
import { wrapForGrantee } from './wrap-for-grantee.js'

export interface GrantWish {
  readonly userId: string
  readonly canDownload?: boolean | undefined
  readonly canShare?: boolean | undefined
  readonly expiresAt?: Date | null | undefined
  readonly purpose?: string | null | undefined
}

export interface RevokedGrant {
  readonly file_id: string
  readonly user_id: string
  readonly revoked_at: string
}

/** Sharing a medical record. */
export interface RecordGrants {
  list(actor: Actor, fileId: string): Promise<GrantSummary[]>
  /**
   * Grants, or changes what the person was granted before.
   * Throws `invalid_field`, `forbidden`, `conflict` where the person's access is not the caller's to set.
   */
  add(actor: Actor, fileId: string, wish: GrantWish): Promise<GrantSummary>
  /** Takes back all that `userId` was granted. Throws `not_found`, `forbidden`, `grant_not_revocable`. */
  revoke(actor: Actor, fileId: string, userId: string): Promise<RevokedGrant>
}

interface Dependencies {
  readonly db: Transactions<RecordStores>
  readonly audit: AuditLog
  readonly access: RecordAccess
  readonly keyRing: KeyRing
}

export function recordGrants(use: Dependencies): RecordGrants {
  return { list: listGrants(use), add: addGrant(use), revoke: revokeGrants(use) }
}

function listGrants({ db, audit, access, keyRing }: Dependencies): RecordGrants['list'] {
  return async (actor, fileId) => {
    const action = 'record.grants_list'
    const permitted = await access.permit(actor, fileId, 'list_grants', { audit: action })
    const patientId = permitted.entry.file.ownerId
    const grants = await db.stores.files.grants(fileId)
    const list = await Promise.all(
      grants.map(async (grant) =>
        summarizeGrant(
          grant,
          grant.purpose === null
            ? null
            : await keyRing.openNote(patientId, grant.grantId, grant.purpose),
        ),
      ),
    )
    const grantId = permitted.grant?.grantId
    await audit.note(actor, { action, outcome: 'success', fileId, patientId, grantId })
    return list
  }
}

function addGrant(use: Dependencies): RecordGrants['add'] {
  const { access, db, keyRing } = use
  return async (actor, fileId, wish) => {
    const { entry, grant: held } = await access.permit(actor, fileId, 'grant', {
      audit: 'record.grant',
    })
    if (held === undefined) throw new StrongroomError('forbidden')
    const patientId = entry.file.ownerId
    const terms = await checkWish(use, { actor, entry, held, wish })
    const grantId = randomUUID()
    const purpose = wish.purpose ?? null
    const grant: GrantRow = {
      ...newGrant({
        ...terms,
        fileId,
        userId: wish.userId,
        basis: 'explicit',
        grantedBy: actor.userId,
        grantedAt: new Date(),
      }),
      grantId,
      purpose: purpose === null ? null : await keyRing.sealNote(patientId, grantId, purpose),
    }
    const keys = await wrapForGrantee(use, { holder: held, grant })
    await db.transaction(async (stores) => {
      const standing = await lockGrants(stores.files, entry)
      if (!standing.some((each) => each.grantId === held.grantId)) {
        throw new StrongroomError('forbidden')
      }
      await replaceEarlier(stores.files, { actor, patientId, standing, grant })
      await stores.files.insertGrant(grant)
      for (const key of keys) await stores.files.insertWrappedKey(key)
      await stores.audit.append(
        auditEvent(actor, {
          action: 'record.grant',
          outcome: 'success',
          fileId,
          patientId,
          subjectId: wish.userId,
          grantId,
        }),
      )
    })
    return summarizeGrant(grant, purpose)
  }
}

interface WishFacts {
  readonly actor: Actor
  readonly entry: FileEntry
  readonly held: HeldGrant
  readonly wish: GrantWish
}

/** The terms of the new grant; what is left out is as far as the one who grants may go. */
async function checkWish({ audit }: Dependencies, { actor, entry, held, wish }: WishFacts) {
  const { fileId, ownerId: patientId } = entry.file
  const terms = {
    canDownload: wish.canDownload ?? held.canDownload,
    canShare: wish.canShare ?? false,
    expiresAt: wish.expiresAt ?? held.expiresAt,
  }
  if (!isPersonId(wish.userId)) {
    throw new StrongroomError('invalid_field', { detail: 'user_id: not an id' })
  }
  if (terms.expiresAt !== null && terms.expiresAt <= new Date()) {
    throw new StrongroomError('invalid_field', { detail: 'expires_at: in the past' })
  }
  if (wish.userId === patientId || wish.userId === actor.userId) {
    throw new StrongroomError('conflict', { detail: 'Neither to the patient nor to oneself.' })
  }
  const decision = mayGrantTerms([held], terms)
  if (decision.allow) return terms
  await audit.note(actor, {
    action: 'record.grant',
    outcome: 'denied',
    reason: decision.code,
    fileId,
    patientId,
    subjectId: wish.userId,
  })
  throw new StrongroomError(decision.code, { detail: 'More than you were granted yourself.' })
}

/**
 * The grants that stand on the record, locked against changes.
 * @throws StrongroomError `not_found` once it is deleted, `conflict` where a version came meanwhile
 */
export async function lockGrants(files: FileStore, { file }: FileEntry): Promise<GrantRow[]> {
  const now = await files.lockFile(file.fileId)
  if (now === undefined || now.deletedAt !== null) throw new StrongroomError('not_found')
  if (now.version !== file.version) throw new StrongroomError('conflict')
  return await files.grants(file.fileId)
}

interface Replacement {
  readonly actor: Actor
  readonly patientId: string
  readonly standing: readonly GrantRow[]
  readonly grant: GrantRow
}

/** A person has one explicit grant: the new one takes the earlier one's place. */
async function replaceEarlier(
  files: FileStore,
  { actor, patientId, standing, grant }: Replacement,
): Promise<void> {
  const earlier = standing.find(
    ({ userId, basis }) => userId === grant.userId && basis === 'explicit',
  )
  if (earlier === undefined) return
  const isOver = earlier.expiresAt !== null && earlier.expiresAt <= grant.grantedAt
  if (!isOver && earlier.grantedBy !== actor.userId && actor.userId !== patientId) {
    throw new StrongroomError('conflict', { detail: 'Granted by somebody else already.' })
  }
  await files.revokeGrant(earlier.grantId, actor.userId, grant.grantedAt)
}

function revokeGrants({ access, db }: Dependencies): RecordGrants['revoke'] {
  return async (actor, fileId, userId) => {
    const targetsIn = async (files: FileStore) =>
      (await files.grants(fileId)).filter((grant) => grant.userId === userId)
    const audit = 'record.revoke'
    // Whoever is no stranger to the record is known before its grants are looked at.
    await access.permit(actor, fileId, 'list_grants', { audit })
    const targets = await targetsIn(db.stores.files)
    const { entry, grant } = await access.permit(
      actor,
      fileId,
      (facts) =>
        mayRevoke(
          facts,
          targets.map(({ basis, grantedBy }) => ({ basis, isOwn: grantedBy === actor.userId })),
        ),
      { audit },
    )
    const at = new Date()
    await db.transaction(async (stores) => {
      // Whoever wraps a key of this file for all its grants has ended, or sees this one revoked.
      await stores.files.lockFile(fileId)
      let revoked = 0
      for (const target of targets) {
        if (!(await stores.files.revokeGrant(target.grantId, actor.userId, at))) continue
        revoked += 1
        await stores.audit.append(
          auditEvent(actor, {
            action: audit,
            outcome: 'success',
            fileId,
            patientId: entry.file.ownerId,
            subjectId: userId,
            grantId: target.basis === 'explicit' ? target.grantId : grant?.grantId,
          }),
        )
      }
      if (revoked === 0) throw new StrongroomError('not_found')
    })
    return { file_id: fileId, user_id: userId, revoked_at: at.toISOString() }
  }
}
