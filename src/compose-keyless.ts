import { unsignedWriter } from './audit/audit-writer.js'
import { type DatabasePlace, openDatabase } from './compose.js'
import { wireMove } from './compose-move.js'
import { rulesOf } from './compose-outbox.js'
import type { Config } from './config.js'
import { assertMigrated, migrate } from './db/migrate.js'
import { assertServed } from './db/move/may-serve.js'
import { transactions } from './db/stores.js'
import { backupOperations } from './operations/backup-operations.js'
import { databaseOperations } from './operations/database-operations.js'
import type { WorkLog } from './ports/work-log.js'

/** The deployment's database, which tells others what happens in it; a copy tells nobody. */
export type KeylessPlace = DatabasePlace & Partial<Pick<Config, 'outbox'>>

export interface KeylessOptions {
  /** For a scratch copy, whose tables may be older: brought up to date. Else that is refused. */
  readonly migrates?: boolean
}

/** What a command does is told by the command. */
const silent: WorkLog = { info: nothing, warn: nothing, error: nothing }

function nothing(): void {
  // Said elsewhere.
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
    if (database.engine !== 'embedded') await assertServed(database)
    await (migrates ? migrate(database) : assertMigrated(database))
  } catch (error) {
    await database.close()
    throw error
  }
  const outbox = place.outbox && rulesOf(place.outbox, () => undefined)
  const db = transactions(database, unsignedWriter, { outbox })
  return {
    operations: {
      ...backupOperations({ db }),
      ...databaseOperations(wireMove({ database, db, log: silent })),
    },
    close: () => database.close(),
  }
}
