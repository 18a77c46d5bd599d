import { unsignedWriter } from '../../../src/audit/audit-writer.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import type { Database } from '../../../src/db/database.js'
import { transactions } from '../../../src/db/stores.js'
import { openDeploymentKeys } from '../../../src/keys/deployment-keys.js'
import { localKeyProvider } from '../../../src/keys/local-key-provider.js'
import { userKeys } from '../../../src/keys/user-keys.js'

/**
 * Where a turn of the master key stands: the old key `alone`; the new one `added`, last; `moved`, to
 * the front. Then everything is re-wrapped, the old one retired and taken out, and the new one is alone.
 */
export type Phase = 'alone' | 'added' | 'moved'

export interface MasterKeys {
  /** As MASTER_KEYS has to be. */
  setting(phase: Phase): string
  /** The key to give up. */
  oldId(): string
  /** The key that takes over. */
  nextId(): string
  /** The old one is no more, and a new one is made for the next turn. */
  turn(): void
}

export function masterKeys(): MasterKeys {
  const fresh = () => FernetKey.generate().exportText()
  const idOf = (text: string) => localKeyProvider([text]).masterKeyIds[0]
  let [old, next] = [fresh(), fresh()]
  return {
    setting: (phase) => ({ alone: old, added: `${old},${next}`, moved: `${next},${old}` })[phase],
    oldId: () => idOf(old),
    nextId: () => idOf(next),
    turn: () => {
      ;[old, next] = [next, fresh()]
    },
  }
}

/** The keys of so many people more, made as the service makes them, under `masterKey`. */
export async function makePeople(
  database: Database,
  masterKey: string,
  count: number,
): Promise<ReadonlyMap<string, string>> {
  const ring = userKeys({
    provider: localKeyProvider([masterKey]),
    store: transactions(database, unsignedWriter).stores.keys,
  })
  const people = new Map<string, string>()
  for (let n = 1; n <= count; n++) {
    const { userId, key } = await ring.forWrapping(`resident-${n}`)
    people.set(userId, key.exportText())
  }
  return people
}

/** What does not open with `masterKey` alone, or is not what it was. */
export async function wrongKeys(
  database: Database,
  masterKey: string,
  people: ReadonlyMap<string, string>,
): Promise<string[]> {
  const { keys } = transactions(database, unsignedWriter).stores
  const provider = localKeyProvider([masterKey])
  const index = await openDeploymentKeys({ provider, store: keys, addsChecks: false })
  index.destroy()
  const ring = userKeys({ provider, store: keys })
  const wrong: string[] = []
  for (const [userId, text] of people) {
    const { key } = await ring.forOpening(userId, 1)
    if (key.exportText() !== text) wrong.push(`the key of ${userId}`)
  }
  return wrong
}
