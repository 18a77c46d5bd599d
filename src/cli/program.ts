import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addBackupCommands } from './backup-commands.js'
import { checkConfig } from './check-config.js'
import { type ExitCode, explain, type Terminal } from './context.js'
import { init } from './init.js'
import {
  type KeysCommandOptions,
  keysStatusCommand,
  retireMasterCommand,
  rotateMasterCommand,
} from './keys.js'
import { printExample } from './print-example.js'
import { printToken, type TokenOptions } from './print-token.js'
import { type ScrubCommandOptions, scrubCommand } from './scrub.js'
import { type SweepCommandOptions, sweepCommand } from './sweep.js'

type Action<O> = (terminal: Terminal, options: O) => Promise<ExitCode> | ExitCode

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

function makeProgram(
  { out, err }: Terminal,
  does: <O>(action: Action<O>) => (options: O) => Promise<void>,
): Command {
  const program = new Command('strongroom')
    .description('Encrypted file storage for healthcare portals: commands for its operators.')
    .version(packageVersion())
    .exitOverride()
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
  const keys = program.command('keys').description('look after the master keys')
  addKeyCommands(keys, does)
  addBackupCommands(program, keys, does)
  return program
}

function addConfigCommands(
  config: Command,
  does: <O>(action: Action<O>) => (options: O) => Promise<void>,
): void {
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

function addSetUpCommands(
  program: Command,
  does: <O>(action: Action<O>) => (options: O) => Promise<void>,
): void {
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

function addStorageCommands(
  program: Command,
  does: <O>(action: Action<O>) => (options: O) => Promise<void>,
): void {
  program
    .command('sweep')
    .description('compare sealed bytes with the database, both ways, and set debris aside')
    .option('--dry-run', 'say what would be done, and touch nothing')
    .option('--grace-hours <n>', 'leave alone what is younger (default: SWEEP_GRACE_HOURS)')
    .option('--force', 'set debris aside also where there is suspiciously much of it')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nDebris is what a kill left: it can be opened by nobody. It is set aside, comes back where a row' +
        '\nasks for it, and is destroyed after SWEEP_KEEP_DAYS. A row without its bytes is damage and' +
        '\nstays. Beside a service on the embedded database this is done by that service.' +
        '\nExit code 0: all is well; 1: damage, or too much debris to believe.',
    )
    .action(does<SweepCommandOptions>(sweepCommand))
  program
    .command('scrub')
    .description('open every sealed file from end to end, and say what has decayed')
    .option('--rate <n>', 'MiB of content a second, at most (default: SCRUB_MB_PER_SECOND)')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nNothing is changed and nothing leaves the service. Exit code 0: all is well; 1: damage.',
    )
    .action(does<ScrubCommandOptions>(scrubCommand))
}

function addKeyCommands(
  keys: Command,
  does: <O>(action: Action<O>) => (options: O) => Promise<void>,
): void {
  keys
    .command('status')
    .description('what each master key is needed for, and which step of a rotation is safe now')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      '\nA rotation: put the new key last in MASTER_KEYS of every node and restart them; move it to the' +
        '\nfront everywhere; rotate-master; retire the old one; take it out of MASTER_KEYS.',
    )
    .action(does<KeysCommandOptions>(keysStatusCommand))
  keys
    .command('rotate-master')
    .description('wrap all user keys and the index key with the first master key')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nFiles are not touched. Begun anew after a break; the service goes on meanwhile.',
    )
    .action(does<KeysCommandOptions>(rotateMasterCommand))
  const retire = does<KeysCommandOptions & { id: string }>(retireMasterCommand)
  keys
    .command('retire')
    .description('give up a master key that nothing needs any more')
    .argument('<id>', 'as `keys status` shows it')
    .option('--json', 'print it as JSON')
    .action((id: string, options: KeysCommandOptions) => retire({ ...options, id }))
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, ...value.split(',')]
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
