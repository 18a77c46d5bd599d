import { StrongroomError } from '../../errors/strongroom-error.js'
import type { WorkLog } from '../../ports/work-log.js'
import type { Database } from '../database.js'
import { migrations } from '../migrations/index.js'
import { moveState } from './change-capture.js'
import { migrationOf } from './target-schema.js'
import { assertWhole, markServed, targetState } from './target-state.js'

/**
 * Before a service starts on a database, as the role that owns it.
 * @throws StrongroomError `conflict` where it was moved away, or holds a copy that is not whole
 */
export async function assertMayServe(database: Database, log: WorkLog): Promise<void> {
  await assertWholeCopy(database)
  if (database.engine !== 'embedded') {
    if ((await targetState(database)) !== undefined) await markServed(database)
  } else if ((await moveState(database)) !== undefined) {
    await assertSameTables(database)
    log.warn({}, 'a move of the database is not finished: strongroom database move goes on with it')
  }
}

/** What notes changes knows the columns of its tables; a migration would have it fail with every change. */
async function assertSameTables(database: Database): Promise<void> {
  if ((await migrationOf(database)) === migrations.at(-1)?.name) return
  throw new StrongroomError('conflict', {
    detail:
      'A move of the database is not finished, and this version has other tables: end it, or give it up ' +
      '(`database move --abandon`), with the version it was begun with',
  })
}

/** @throws StrongroomError `conflict` as above */
export async function assertWholeCopy(database: Database): Promise<void> {
  if (database.engine !== 'embedded') {
    assertWhole(await targetState(database))
    return
  }
  const movedAt = (await moveState(database))?.movedAt ?? null
  if (movedAt === null) return
  throw new StrongroomError('conflict', {
    detail:
      `The embedded database was moved (${movedAt.toISOString()}): DATABASE_URL has to name the one ` +
      'it was moved to. `strongroom database move` makes sure that all is there; with --abandon it takes ' +
      'the move back, as long as no service has been started there',
  })
}

/**
 * For a command: the first to write to a database that was moved is a service, which puts down that it did.
 * @throws StrongroomError `conflict`
 */
export async function assertServed(database: Database): Promise<void> {
  await assertWholeCopy(database)
  if (database.engine === 'embedded') return
  if ((await targetState(database))?.servedAt !== null) return
  throw new StrongroomError('conflict', {
    detail: 'The database was moved here just now: start the service on it first',
  })
}

/** @throws StrongroomError `conflict` while the embedded database is being moved, or was */
export async function assertNotMoving(database: Database): Promise<void> {
  if (database.engine !== 'embedded' || (await moveState(database)) === undefined) return
  throw new StrongroomError('conflict', {
    detail:
      'The database is being moved: first end that, or give it up (`database move --abandon`)',
  })
}
