import { unsignedWriter } from './audit/audit-writer.js'
import { type DatabasePlace, openDatabase } from './compose.js'
import { rulesOf } from './compose-outbox.js'
import type { Config } from './config.js'
import { assertMigrated, migrate } from './db/migrate.js'
import { transactions } from './db/stores.js'
import { backupOperations } from './operations/backup-operations.js'

/** The deployment's database, which tells others what happens in it; a copy tells nobody. */
export type KeylessPlace = DatabasePlace & Partial<Pick<Config, 'outbox'>>

export interface KeylessOptions {
  /** For a scratch copy, whose tables may be older: brought up to date. Else that is refused. */
  readonly migrates?: boolean
}

/**
 * A database without the keys to it, for what must work when these are lost: it does not ask whether
 * the master keys fit, and can open nothing. Throws what `openDatabase` and `assertMigrated` throw.
 */
export async function composeKeyless(
  place: KeylessPlace,
  onProblem: (error: unknown) => void,
  { migrates = false }: KeylessOptions = {},
) {
  const database = await openDatabase(place, onProblem)
  try {
    await (migrates ? migrate(database) : assertMigrated(database))
  } catch (error) {
    await database.close()
    throw error
  }
  const outbox = place.outbox && rulesOf(place.outbox, () => undefined)
  return {
    operations: backupOperations({ db: transactions(database, unsignedWriter, { outbox }) }),
    close: () => database.close(),
  }
}
