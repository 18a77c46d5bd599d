import { StrongroomError } from '../../errors/strongroom-error.js'
import type { Database, Sql } from '../database.js'
import { migrate } from '../migrate.js'
import {
  captureScript,
  closingScript,
  FORGET_MOVE,
  type MoveState,
  moveState,
  notesAll,
} from './change-capture.js'
import { copying } from './copy-rows.js'
import { type MovedTable, movedTables } from './moved-tables.js'
import { countRows, EXACT } from './row-transfer.js'
import { differs } from './rows-of-a-moment.js'
import {
  finishTarget,
  makeMonths,
  migrationOf,
  prepareTarget,
  setSequences,
} from './target-schema.js'
import { isEmpty, setStage, type TargetState, targetState } from './target-state.js'

/** How long writing may stand still, in milliseconds: whoever waits for it is refused after thirty seconds. */
const STOP_LIMIT_MS = 20_000

export interface MoveOptions {
  readonly signal: AbortSignal
  readonly progress: (done: number, total: number) => void
  /** Puts it on record in the source: before the first row leaves it, and before writing ends. */
  readonly note: (what: 'begun' | 'stopped') => Promise<void>
}

export interface DatabaseMoveReport {
  readonly move_id: string
  readonly tables: number
  readonly rows: number
  /** How long writing stood still until it had ended, in milliseconds; 0: it had ended before. */
  readonly stopped_ms: number
}

/**
 * Moves the database of a running service to an empty PostgreSQL. Broken off or killed at any point it is
 * gone on with when it is called again; once its writing has ended the source takes no change any more.
 * @throws StrongroomError `conflict` where the two are not fit for it, `damaged` where they differ
 */
export async function moveDatabase(
  source: Database,
  target: Database,
  options: MoveOptions,
): Promise<DatabaseMoveReport> {
  const tables = await movedTables(source)
  const { moveId, movedAt } = await begin(source, target, tables, options)
  const stoppedMs = movedAt === null ? await copyAndStop(source, target, tables, options) : 0
  if ((await targetState(target))?.stage !== 'complete') {
    await compareCounts(source, target, tables)
    await finishTarget(target)
  }
  const rows = await countAll(source, tables)
  return { move_id: moveId, tables: tables.length, rows, stopped_ms: stoppedMs }
}

/** Both sides know of the move when this resolves, and only of this one. */
async function begin(
  source: Database,
  target: Database,
  tables: readonly MovedTable[],
  { note }: MoveOptions,
): Promise<MoveState> {
  const migration = await migrationOf(source)
  const here = await moveState(source)
  const there = await targetState(target)
  await assertFit(here, there, migration, target)
  if (here?.movedAt === null && !(await notesAll(source, tables))) throw otherTables()
  if (here === undefined || here.movedAt === null) await note('begun')
  if (here === undefined) await source.script(captureScript(tables))
  const state = here ?? (await moveState(source))
  if (state === undefined) throw new StrongroomError('internal')
  const isReady = there?.moveId === state.moveId && there.stage !== 'preparing'
  if (!isReady || there.stage === 'abandoned') {
    await prepareTarget(target, tables, { ...state, migration, migrate: () => migrate(target) })
  }
  return state
}

async function assertFit(
  here: MoveState | undefined,
  there: TargetState | undefined,
  migration: string,
  target: Database,
): Promise<void> {
  const isOfThis = here !== undefined && here.moveId === there?.moveId
  if (here !== undefined && here.movedAt !== null) {
    if (isOfThis && there.stage !== 'abandoned') return
    throw refused('The database was moved, and not to this one: --abandon takes that back')
  }
  if (there === undefined) {
    if (await isEmpty(target)) return
    throw refused('DATABASE_MOVE_URL: expected a database with nothing in it')
  }
  if (there.stage === 'abandoned') return
  if (!isOfThis) throw refused('DATABASE_MOVE_URL names the target of another move')
  if (there.migration !== migration) throw otherTables()
}

const refused = (detail: string) => new StrongroomError('conflict', { detail })

const otherTables = () =>
  refused('The tables are others than those the move began with: --abandon, and begin again')

async function copyAndStop(
  source: Database,
  target: Database,
  tables: readonly MovedTable[],
  { signal, progress, note }: MoveOptions,
): Promise<number> {
  const total = 2 * (await countAll(source, tables))
  let done = 0
  const did = (keys: number) => {
    done += keys
    progress(Math.min(done, total), total)
  }
  const { copy, compare, catchUp, last } = copying({ source, target, tables, signal, did })
  await makeMonths(source, target)
  for (const table of tables) await copy(table)
  for (const table of tables) await compare(table)
  await makeMonths(source, target)
  await note('stopped')
  await catchUp()
  const begun = performance.now()
  await source.transaction(
    async (sql) => {
      await sql.script(EXACT)
      await last(sql)
      await compareCounts(sql, target, tables)
      await setSequences(sql, target)
      await sql.script(closingScript(tables))
    },
    { limitMs: STOP_LIMIT_MS },
  )
  return Math.round(performance.now() - begun)
}

async function countAll(sql: Sql, tables: readonly MovedTable[]): Promise<number> {
  let sum = 0
  for (const table of tables) sum += await countRows(sql, table)
  return sum
}

/** All were compared, each as it came and once more; what this finds is one too many. */
async function compareCounts(source: Sql, target: Sql, tables: readonly MovedTable[]) {
  for (const table of tables) {
    if ((await countRows(source, table)) !== (await countRows(target, table))) throw differs(table)
  }
}

/**
 * Gives a move up, or takes its end back: the source serves again, and the copy can be served by nobody.
 * @throws StrongroomError `conflict` where a service has been started on the copy, or it is another move's
 */
export async function abandonMove(source: Database, target: Database): Promise<boolean> {
  const here = await moveState(source)
  if (here === undefined) return false
  const there = await targetState(target)
  if (there?.moveId === here.moveId) {
    if (there.servedAt !== null) {
      throw refused(
        `A service has been started on the new database (${there.servedAt.toISOString()}): what it wrote is only there, and the move cannot be taken back`,
      )
    }
    await setStage(target, 'abandoned')
  } else if (here.movedAt !== null) {
    throw refused('DATABASE_MOVE_URL: expected the database this one was moved to')
  }
  await source.script(FORGET_MOVE)
  return true
}
