import { Type } from 'typebox'
import { type OperationContext, operation } from './operation.js'

/** With its password: it comes through a socket that its owner alone can open, and goes nowhere else. */
const input = Type.Object(
  { target: Type.String({ pattern: '^postgres(ql)?://', maxLength: 4096 }) },
  { additionalProperties: false },
)

/** What a move came to. */
export interface MovedDatabase {
  readonly move_id: string
  readonly tables: number
  readonly rows: number
  /** Milliseconds writing stood still before it had ended; 0: it had ended before. */
  readonly stopped_ms: number
}

export interface DatabaseMoveDependencies {
  readonly moveDatabase: (target: string, context: OperationContext) => Promise<MovedDatabase>
  readonly abandonMove: (target: string) => Promise<{ readonly abandoned: boolean }>
}

/** Moving the embedded database to PostgreSQL, and taking that back. */
export function databaseOperations(use: DatabaseMoveDependencies) {
  return {
    'database-move': operation(input, ({ target }, context) => use.moveDatabase(target, context)),
    'database-abandon': operation(input, ({ target }) => use.abandonMove(target)),
  }
}

export type DatabaseOperations = ReturnType<typeof databaseOperations>
