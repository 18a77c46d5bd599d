import { randomUUID } from 'node:crypto'
import type { KeyProvider } from '../keys/key-provider.js'
import type { Transactions } from '../ports/transactions.js'
import type { KeyNode, RotationStores } from './ports.js'

const TELL_EVERY_MS = 30_000
/** After as long without a word a node is taken for gone. */
export const GONE_MS = 120_000

interface Dependencies {
  readonly db: Transactions<RotationStores>
  readonly provider: Pick<KeyProvider, 'masterKeyIds'>
  readonly onProblem: (error: unknown) => void
}

interface Announcement extends Dependencies {
  /** This process alone can have the database open: whoever else is in it was killed. */
  readonly isAlone: boolean
}

/**
 * Tells the other nodes, twice a minute, which master keys this one runs with: what wraps and what
 * opens must be known everywhere before a key may be moved or retired.
 */
export async function announceKeys({ db, provider, onProblem, isAlone }: Announcement) {
  const nodeId = randomUUID()
  await db.stores.rotation.forgetNodesNotSeenWithin(isAlone ? 0 : GONE_MS)
  const tell = () => db.stores.rotation.sawNode({ nodeId, masterKeyIds: provider.masterKeyIds })
  await tell()
  let telling = Promise.resolve()
  const timer = setInterval(() => {
    telling = telling.then(tell).catch(onProblem)
  }, TELL_EVERY_MS)
  timer.unref()
  return {
    close: async () => {
      clearInterval(timer)
      await telling
      await db.stores.rotation.forgetNode(nodeId).catch(onProblem)
    },
  }
}

/** The nodes that serve. */
export async function liveNodes({ db }: Pick<Dependencies, 'db'>): Promise<KeyNode[]> {
  return await db.stores.rotation.nodesSeenWithin(GONE_MS)
}
