import type { Command } from 'commander'
import type { Does } from './does.js'
import {
  type OutboxChangeOptions,
  type OutboxListOptions,
  outboxDropCommand,
  outboxListCommand,
  outboxReplayCommand,
} from './outbox.js'

const id = ['--id <id...>', 'these, as `outbox list` numbers them'] as const
const destination = ['--destination <name>', 'those for `webhook` or `sink`'] as const
const waiting = ['--waiting', 'what still waits, too; else dead letters alone'] as const
const all = ['--all', 'all of them'] as const
const by = ['--by <name>', 'who orders it (default: the user of this machine)'] as const
const json = ['--json', 'print it as JSON'] as const

/** What was to be told to webhooks and the portal's own log, and was not. */
export function addOutboxCommands(program: Command, does: Does): void {
  const outbox = program
    .command('outbox')
    .description('webhooks and copies of the audit log that are not delivered')
  outbox
    .command('list')
    .description('how much waits, and the dead letters')
    .option(...id)
    .option(...destination)
    .option(...waiting)
    .option('--limit <n>', 'at most so many', '100')
    .option(...json)
    .addHelpText('after', '\nExit code 0: no dead letters; 1: there are some.')
    .action(does<OutboxListOptions>(outboxListCommand))
  outbox
    .command('replay')
    .description('try dead letters again, each in its old place')
    .option(...id)
    .option(...destination)
    .option(...waiting)
    .option(...all)
    .option(...by)
    .option(...json)
    .action(does<OutboxChangeOptions>(outboxReplayCommand))
  outbox
    .command('drop')
    .description('remove dead letters undelivered; the events stay in the audit log')
    .option(...id)
    .option(...destination)
    .option(...waiting)
    .option(...all)
    .option(...by)
    .option(...json)
    .action(does<OutboxChangeOptions>(outboxDropCommand))
}
