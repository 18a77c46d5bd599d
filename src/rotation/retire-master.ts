import { StrongroomError } from '../errors/strongroom-error.js'
import { GONE_MS } from './key-nodes.js'
import { keyStatus } from './key-status.js'
import { keyEvent, type RotationDependencies } from './rotate-master.js'
import {
  deploymentKeyRows,
  masterKeyOf,
  masterKeyOfDeployment,
  userKeyBatches,
} from './user-key-rows.js'

export interface Retirement {
  readonly master_key: string
  /** Nodes that still run with it: it can be taken out of their MASTER_KEYS now. */
  readonly nodes: number
}

/**
 * Gives a master key up, once every key was opened without it: its check value goes, so that the
 * service starts without it.
 * @throws StrongroomError `not_found` for a key that is not known here; `conflict` where anything
 *   still needs it, or a node wraps with it
 */
export function retireMaster(use: RotationDependencies) {
  return async (masterKeyId: string): Promise<Retirement> => {
    const status = await keyStatus(use)
    const found = status.master_keys.find(({ id }) => id === masterKeyId)
    if (found === undefined || !found.check_value) throw new StrongroomError('not_found')
    if (!found.safe.includes('retire')) throw stillNeeded()
    // By opening every key, not by what the rows say.
    for (const row of await deploymentKeyRows(use)) {
      if ((await masterKeyOfDeployment(use, row)) === masterKeyId) throw stillNeeded()
    }
    for await (const rows of userKeyBatches(use)) {
      for (const row of rows) {
        if ((await masterKeyOf(use, row)) === masterKeyId) throw stillNeeded()
      }
    }
    await use.db.transaction(async ({ audit, keys, rotation }) => {
      await rotation.lockMasterKeys()
      // First, so that a node that comes up now finds it gone, or is seen below.
      await rotation.removeCheckValue(masterKeyId)
      const live = await rotation.nodesSeenWithin(GONE_MS)
      const [counts, deployment] = [await rotation.countByMasterKey(), await keys.deploymentKeys()]
      const others = deployment.filter((row) => row.masterKeyId !== masterKeyId)
      const isNeeded =
        live.some(({ masterKeyIds }) => masterKeyIds[0] === masterKeyId) ||
        !others.some(({ use }) => use === 'check') ||
        counts.some((count) => count.masterKeyId === masterKeyId || count.masterKeyId === null) ||
        deployment.some((row) => row.use !== 'check' && row.masterKeyId === masterKeyId)
      if (isNeeded) throw stillNeeded()
      await rotation.markRetired(masterKeyId)
      await audit.append(keyEvent('keys.retire', { subjectId: masterKeyId }))
    })
    return { master_key: masterKeyId, nodes: found.nodes }
  }
}

function stillNeeded(): StrongroomError {
  return new StrongroomError('conflict', {
    detail: 'This master key is still needed: `strongroom keys status` says what for',
  })
}
