import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addAuditCommands } from './audit-commands.js'
import { addBackupCommands } from './backup-commands.js'
import { checkConfig } from './check-config.js'
import { type ExitCode, explain, type Terminal } from './context.js'
import { addDatabaseCommands } from './database-commands.js'
import { type DoctorOptions, doctorCommand } from './doctor.js'
import type { Action, Does } from './does.js'
import { addErasureCommands } from './erasure-commands.js'
import { init } from './init.js'
import { addKeyCommands } from './key-commands.js'
import { addOutboxCommands } from './outbox-commands.js'
import { addPeopleCommands } from './people-commands.js'
import { printExample } from './print-example.js'
import { printToken, type TokenOptions } from './print-token.js'
import { addStorageCommands } from './storage-commands.js'

/**
 * Runs one command of `strongroom` and answers its exit code: 0 done, 1 it cannot be done,
 * 2 unknown or wrongly called.
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  const does =
    <O>(action: Action<O>) =>
    async (options: O): Promise<void> => {
      exitCode = await action(terminal, options)
    }
  try {
    await makeProgram(terminal, does).parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    return explain(error, terminal)
  }
}

function makeProgram({ out, err }: Terminal, does: Does): Command {
  const program = new Command('strongroom')
    .description('Encrypted file storage for healthcare portals: commands for its operators.')
    .version(packageVersion())
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => {
        out(text.trimEnd())
      },
      writeErr: (text) => {
        err(text.trimEnd())
      },
    })
    .showHelpAfterError('(--help says more)')
  const config = program.command('config').description('look at the settings')
  addConfigCommands(config, does)
  addSetUpCommands(program, does)
  addStorageCommands(program, does)
  addDatabaseCommands(program, does)
  const keys = program.command('keys').description('look after the master keys')
  addKeyCommands(keys, does)
  addBackupCommands(program, keys, does)
  addErasureCommands(program, does)
  addOutboxCommands(program, does)
  addPeopleCommands(program, does)
  addAuditCommands(program.command('audit').description('look after the audit log'), does)
  return program
}

function addConfigCommands(config: Command, does: Does): void {
  config
    .command('check')
    .description('say every setting in effect and everything wrong with them, without starting')
    .addHelpText(
      'after',
      '\nSecrets are shown as "set". Exit code 0: the service would start; 1: not.',
    )
    .action(does(checkConfig))
  config
    .command('example')
    .description('print .env.example: every variable, with its default')
    .action(does(printExample))
}

function addSetUpCommands(program: Command, does: Does): void {
  program
    .command('doctor')
    .description(
      'look at the settings and at all the service needs: what is wrong, and how to mend it',
    )
    .option('--json', 'print what was found as JSON')
    .addHelpText(
      'after',
      '\nFolders, database, keys, bucket, Redis and clocks. Nothing is changed. Exit code 0: nothing is wrong, 1: something is.',
    )
    .action(does<DoctorOptions>(doctorCommand))
  program
    .command('init')
    .description('write .env (0600) in the working directory, with fresh secrets')
    .option(
      '--force',
      'replace a .env that is there: a fresh JWT secret and metrics token; master keys, database password and other settings are kept',
    )
    .action(does(init))
  program
    .command('token')
    .description('print a signed token (HS256) to try the service with; not in production')
    .requiredOption('--user <id>', 'whose token it is')
    .option('--role <role>', 'a role of theirs; may be repeated', collect, [])
    .option('--email <address>', 'their e-mail')
    .option('--expires <time>', 'how long it is good for: 90s, 15m, 1h, 7d', '1h')
    .addHelpText(
      'after',
      '\nExample:\n  curl -H "Authorization: Bearer $(npx strongroom token --user ann)" \\\n    http://localhost:8006/api/files/user',
    )
    .action(does<TokenOptions>(printToken))
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, ...value.split(',')]
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
