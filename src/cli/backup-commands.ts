import type { Command } from 'commander'
import type { Action, Does } from './does.js'
import type { DrillCommandOptions } from './drill.js'
import type { KeysBackupOptions } from './keys-backup.js'
import type { KeysRestoreOptions } from './keys-restore.js'

// Loaded when they are asked for: what they seal with takes half a second, which other commands need not wait.
const keysBackupCommand: Action<KeysBackupOptions> = async (...words) =>
  (await import('./keys-backup.js')).keysBackupCommand(...words)
const keysRestoreCommand: Action<KeysRestoreOptions> = async (...words) =>
  (await import('./keys-restore.js')).keysRestoreCommand(...words)
const drillCommand: Action<DrillCommandOptions> = async (...words) =>
  (await import('./drill.js')).drillCommand(...words)

const passphraseFile = [
  '--passphrase-file <file>',
  'holds the passphrase; without it a terminal is asked',
] as const
const share = ['--share <file...>', 'a share of the backup; as many as it takes'] as const

/** What keeps the keys from being lost: `keys backup`, `keys restore`, `drill`. */
export function addBackupCommands(program: Command, keys: Command, does: Does): void {
  addBackup(keys, does)
  addRestore(keys, does)
  addDrill(program, does)
}

function addBackup(keys: Command, does: Does): void {
  keys
    .command('backup')
    .description('write an encrypted backup of the master keys, with what proves them')
    .requiredOption('--out <file>', 'where the backup goes (0600)')
    .option(...passphraseFile)
    .option('--shares <k/n>', 'no passphrase: n shares, any k of which open the backup')
    .option('--shares-dir <folder>', 'where the shares go, a file each (0600)')
    .option('--force', 'replace a file that is there')
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      '\nTo be run with the settings of the service. Before anything is written, every check value and all' +
        '\nkeys of the deployment are opened; after it, the backup is read back and opened. A master key that AWS' +
        '\nKMS or Vault holds cannot be in it: such keys are named, and what they wrapped is kept as it is.' +
        '\nA passphrase has at least 16 characters, and is never given on the command line.',
    )
    .action(does<KeysBackupOptions>(keysBackupCommand))
}

function addRestore(keys: Command, does: Does): void {
  const restore = does<KeysRestoreOptions>(keysRestoreCommand)
  keys
    .command('restore')
    .description('get the master keys out of a backup')
    .argument('<backup>', 'the file that `keys backup` wrote')
    .option('--out <file>', 'where the keys go, for MASTER_KEYS_FILE (0600); must not exist')
    .option(...passphraseFile)
    .option(...share)
    .option('--check-values', 'put back check values and wrapped keys that the database lost')
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      '\nThe keys are compared with the database that the settings name, where it can be reached; nothing in' +
        '\nit is ever replaced. Exit code 1: they are not the keys of that database. What AWS KMS or Vault holds' +
        '\nis not compared.',
    )
    .action((file: string, options: Omit<KeysRestoreOptions, 'file'>) =>
      restore({ ...options, file }),
    )
}

function addDrill(program: Command, does: Does): void {
  program
    .command('drill')
    .description('prove that a backup of the keys opens files, with its keys alone')
    .requiredOption('--backup <file>', 'the file that `keys backup` wrote')
    .option(...passphraseFile)
    .option(...share)
    .option('--files <n>', 'file versions picked at random', '20')
    .option('--seed <text>', 'picks the same files again')
    .option('--data-dir <folder>', 'a restored copy of DATA_DIR; it is not changed')
    .option('--database-url-file <file>', 'holds the address of a restored PostgreSQL; only read')
    .option('--files-dir <folder>', 'the restored sealed files (with --data-dir: its files/)')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nWithout a copy: against the deployment itself, beside the running service. Each file is opened from' +
        '\nend to end and compared with its SHA-256; nothing is kept, and the keys are written nowhere.' +
        '\nOf the settings only KMS and Vault are used for keys that they hold, never MASTER_KEYS.' +
        '\nExit code 0: everything opened; 1: something did not.',
    )
    .action(does<DrillCommandOptions>(drillCommand))
}
