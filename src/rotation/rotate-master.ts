import type { Actor, AuditAction } from '../audit/audit-events.js'
import { auditEvent } from '../audit/audit-log.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import type { KeyStore, UserKeyRow } from '../keys/ports.js'
import type { Transactions } from '../ports/transactions.js'
import { liveNodes } from './key-nodes.js'
import type { RotationStores, WrappedUserKey } from './ports.js'
import {
  claimsOf,
  deploymentKeyRows,
  masterKeyOf,
  masterKeyOfDeployment,
  userKeyBatches,
  type WrappedDeploymentKey,
} from './user-key-rows.js'

export interface RotationReport {
  /** The master key that wraps everything now. */
  readonly master_key: string
  /** User keys re-wrapped now. */
  readonly rewrapped: number
  /** User keys it wrapped before. */
  readonly already: number
  /** Keys of the whole deployment re-wrapped now: the index key and others. */
  readonly deployment_keys: number
  /** User keys opened again afterwards, all under that master key. */
  readonly verified: number
}

export interface RotationContext {
  readonly signal?: AbortSignal
  /** Told how many rows were looked at, of how many in the three rounds. */
  readonly progress?: (done: number, total: number) => void
}

export type RotateMaster = (context?: RotationContext) => Promise<RotationReport>

export interface RotationDependencies {
  readonly db: Transactions<RotationStores>
  readonly provider: KeyProvider
}

/**
 * Re-wraps every user key and the index key under the first master key; files and grants are not
 * touched. First every key is opened, so that nothing is begun that cannot be ended; afterwards every
 * key is opened again. While it runs the service goes on; cut off at any point it is begun anew.
 *
 * @throws StrongroomError `conflict` where a node that serves wraps with another master key, or none
 *   ever ran with this one;
 *   `damaged` where a key opens with none: nothing was changed then
 */
export function rotateMaster(use: RotationDependencies): RotateMaster {
  return async ({ signal, progress } = {}) => {
    const [first] = use.provider.masterKeyIds
    await refuseOtherNodes(use, first)
    await refuseUnknown(use.db.stores.keys, first)
    const keys = (await use.db.stores.rotation.countByMasterKey()).reduce((n, c) => n + c.keys, 0)
    let done = 0
    const eachBatch = async (work: (rows: WrappedUserKey[]) => Promise<void>) => {
      for await (const rows of userKeyBatches(use)) {
        signal?.throwIfAborted()
        await work(rows)
        done += rows.length
        progress?.(done, 3 * keys)
      }
    }
    for (const row of await deploymentKeyRows(use)) await masterKeyOfDeployment(use, row)
    await eachBatch(async (rows) => {
      for (const row of rows) await masterKeyOf(use, row)
    })
    const counts = { rewrapped: 0, already: 0 }
    await eachBatch(async (rows) => {
      const rewrapped = await rewrapBatch(use, rows, first)
      counts.rewrapped += rewrapped
      counts.already += rows.length - rewrapped
    })
    const deploymentKeys = await rewrapDeploymentKeys(use, first)
    let verified = 0
    await eachBatch(async (rows) => {
      for (const row of rows) {
        // A node may have made this key just now, with an older configuration.
        if ((await masterKeyOf(use, row)) !== first) throw otherNode()
        verified += 1
      }
    })
    return { master_key: first, ...counts, deployment_keys: deploymentKeys, verified }
  }
}

async function refuseOtherNodes(use: RotationDependencies, first: string): Promise<void> {
  const nodes = await liveNodes(use)
  if (nodes.some(({ masterKeyIds }) => masterKeyIds[0] !== first)) throw otherNode()
}

/** Its check value is written where a node starts with it, and never again once it was retired. */
export async function refuseUnknown(
  keys: Pick<KeyStore, 'deploymentKeys'>,
  first: string,
): Promise<void> {
  const rows = await keys.deploymentKeys()
  if (rows.some(({ use, masterKeyId }) => use === 'check' && masterKeyId === first)) return
  throw new StrongroomError('conflict', {
    detail: `Master key ${first} has no check value: it was retired, or no node was started with it yet`,
  })
}

function otherNode(): StrongroomError {
  return new StrongroomError('conflict', {
    detail:
      'A node wraps with another master key: give all nodes the same first one, then rotate again',
  })
}

/** How many of these were under another master key. Wrapped outside, committed in one transaction. */
async function rewrapBatch(
  { db, provider }: RotationDependencies,
  rows: readonly WrappedUserKey[],
  first: string,
): Promise<number> {
  const changes: { row: UserKeyRow; wrapped: string; isNew: boolean }[] = []
  for (const row of rows) {
    const { key, masterKeyId } = await provider.unwrapNamed(row.wrapped, claimsOf(row))
    const isNew = masterKeyId !== first
    const wrapped = isNew ? await provider.wrap(key, claimsOf(row)) : row.wrapped
    key.destroy()
    if (isNew || row.masterKeyId !== first) changes.push({ row, wrapped, isNew })
  }
  if (changes.length === 0) return 0
  return await db.transaction(async ({ audit, rotation }) => {
    await rotation.lockMasterKeys()
    let rewrapped = 0
    for (const { row, wrapped, isNew } of changes) {
      const isDone = await rotation.rewrapUserKey(row, wrapped, first)
      if (isDone && isNew) rewrapped += 1
    }
    if (rewrapped > 0) {
      await audit.append(keyEvent('keys.rewrap', { subjectId: first, count: rewrapped }))
    }
    return rewrapped
  })
}

/** How many were under another master key. */
async function rewrapDeploymentKeys(use: RotationDependencies, first: string): Promise<number> {
  let rewrapped = 0
  for (const row of await deploymentKeyRows(use)) {
    if (await rewrapDeploymentKey(use, row, first)) rewrapped += 1
  }
  for (const row of await deploymentKeyRows(use)) {
    if ((await masterKeyOfDeployment(use, row)) !== first) throw otherNode()
  }
  return rewrapped
}

async function rewrapDeploymentKey(
  { db, provider }: RotationDependencies,
  row: WrappedDeploymentKey,
  first: string,
): Promise<boolean> {
  const claims = { use: row.use }
  const { key, masterKeyId } = await provider.unwrapNamed(row.wrapped, claims)
  const isNew = masterKeyId !== first
  const wrapped = isNew ? await provider.wrap(key, claims) : row.wrapped
  key.destroy()
  if (!isNew && row.masterKeyId === first) return false
  return await db.transaction(async ({ audit, rotation }) => {
    await rotation.lockMasterKeys()
    if (!(await rotation.rewrapDeploymentKey(row, wrapped, first))) return false
    if (isNew) await audit.append(keyEvent('keys.rewrap', { subjectId: first, count: 1 }))
    return isNew
  })
}

/** What the service did with keys: of a master key by its id, or a person's by theirs. */
export function keyEvent(
  action: AuditAction,
  { subjectId, count }: { readonly subjectId: string; readonly count?: number },
) {
  return auditEvent(operator, { action, outcome: 'success', subjectId, bytes: count })
}

const operator: Actor = {
  userId: 'strongroom',
  roles: ['service'],
  ip: '-',
  userAgent: '-',
  requestId: 'keys',
}
