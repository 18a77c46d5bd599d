import type { Command } from 'commander'
import { type DatabaseMoveCommandOptions, databaseMoveCommand } from './database-move.js'
import type { Does } from './does.js'

/** Where the database is. */
export function addDatabaseCommands(program: Command, does: Does): void {
  program
    .command('database')
    .description('move the database')
    .command('move')
    .description('move the embedded database to PostgreSQL, while the service goes on')
    .option(
      '--abandon',
      'give the move up, or take its end back: the embedded database serves again',
    )
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nDATABASE_MOVE_URL (or DATABASE_MOVE_URL_FILE) names an empty database, as the role that is to own its' +
        '\ntables. Rows are copied and compared while the service goes on; then writing stands still for a moment,' +
        '\nand from there the embedded database takes no change: what would change something is answered' +
        '\n503 until the service starts again with DATABASE_URL at the new one. Broken off or killed, the command is' +
        '\ngiven again, and goes on. --abandon takes back also a move that is complete, as long as no service has' +
        '\nbeen started on the new database: what was written there would be lost, and so it is refused.' +
        '\nExit code 0: all is there; 1: it is not, or it is refused.',
    )
    .action(does<DatabaseMoveCommandOptions>(databaseMoveCommand))
}
