import type { Command } from 'commander'
import type { Does } from './does.js'
import { type UserCreateOptions, userCreateCommand } from './user.js'

/** Accounts of our own. */
export function addPeopleCommands(program: Command, does: Does): void {
  program
    .command('user')
    .description('accounts of this service, for those who have no identity provider')
    .command('create')
    .description('make an account; prints its id. The first administrator is made so')
    .requiredOption('--email <address>', 'by which the person logs in')
    .option('--name <name>', 'their full name')
    .option('--admin', 'an administrator; the same as --role admin')
    .option('--role <role...>', 'the roles they have')
    .option('--password-file <path>', 'the password, or its bcrypt or Argon2id hash; absent: asked')
    .option('--generate', 'make a password, and print it after the id')
    .option('--by <name>', 'who orders it (default: the user of this machine)')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      '\nA password has 12 characters at least, and is not one of the usual ones.',
    )
    .action(does<UserCreateOptions>(userCreateCommand))
}
