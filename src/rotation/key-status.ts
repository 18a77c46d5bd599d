import { liveNodes } from './key-nodes.js'
import type { KeyNode } from './ports.js'
import type { RotationDependencies } from './rotate-master.js'

export interface MasterKeyStatus {
  readonly id: string
  /** Whether whoever asks runs with it, and whether it is their first. */
  readonly configured: 'first' | 'yes' | 'no'
  /** How many nodes that serve run with it, and wrap with it. */
  readonly nodes: number
  readonly nodes_first: number
  readonly user_keys: number
  /** Keys of the whole deployment under it: the index key and others. */
  readonly deployment_keys: number
  readonly check_value: boolean
  /** What may be done with it now. */
  readonly safe: readonly KeyStep[]
}

/** `move_first`: in MASTER_KEYS of every node. `retire`: nothing needs it. */
export type KeyStep = 'move_first' | 'rotate' | 'retire'

export interface KeyStatus {
  readonly nodes: number
  readonly master_keys: readonly MasterKeyStatus[]
  /** User keys of which it is not known yet who wraps them: `rotate` finds out. */
  readonly unknown: number
}

/** What each master key is needed for, and which step of a rotation is safe now. */
export async function keyStatus(use: RotationDependencies): Promise<KeyStatus> {
  const { rotation, keys } = use.db.stores
  const own: readonly string[] = use.provider.masterKeyIds
  const live = await liveNodes(use)
  const counts = await rotation.countByMasterKey()
  const deployment = await keys.deploymentKeys()
  const others = deployment.filter(({ use }) => use !== 'check')
  const unknown = counts.find(({ masterKeyId }) => masterKeyId === null)?.keys ?? 0
  const ids = new Set([
    ...own,
    ...live.flatMap(({ masterKeyIds }) => masterKeyIds),
    ...deployment.map(({ masterKeyId }) => masterKeyId),
    ...counts.flatMap(({ masterKeyId }) => masterKeyId ?? []),
  ])
  const master_keys = [...ids].map((id) => {
    const facts = {
      id,
      configured: own[0] === id ? 'first' : own.includes(id) ? 'yes' : 'no',
      nodes: live.filter(({ masterKeyIds }) => masterKeyIds.includes(id)).length,
      nodes_first: live.filter(({ masterKeyIds }) => masterKeyIds[0] === id).length,
      user_keys: counts.find(({ masterKeyId }) => masterKeyId === id)?.keys ?? 0,
      deployment_keys: others.filter(({ masterKeyId }) => masterKeyId === id).length,
      check_value: deployment.some((row) => row.use === 'check' && row.masterKeyId === id),
    } as const
    return { ...facts, safe: safeSteps(facts, live, unknown, [...counts, ...others]) }
  })
  return { nodes: live.length, master_keys, unknown }
}

type Facts = Omit<MasterKeyStatus, 'safe'>

function safeSteps(
  facts: Facts,
  live: readonly KeyNode[],
  unknown: number,
  wrapped: readonly { readonly masterKeyId: string | null }[],
): KeyStep[] {
  const everywhere = facts.nodes === live.length && facts.configured !== 'no'
  const firstEverywhere = facts.nodes_first === live.length && facts.configured === 'first'
  const others = wrapped.some(({ masterKeyId }) => masterKeyId !== facts.id)
  const needed = facts.user_keys > 0 || facts.deployment_keys > 0 || unknown > 0
  return [
    ...(everywhere && !firstEverywhere ? (['move_first'] as const) : []),
    ...(firstEverywhere && others ? (['rotate'] as const) : []),
    ...(!needed && isFirstNowhere(facts) && facts.check_value ? (['retire'] as const) : []),
  ]
}

/** Where it is first somewhere, new user keys are wrapped with it. */
export function isFirstNowhere({ configured, nodes_first }: Facts): boolean {
  return configured !== 'first' && nodes_first === 0
}
