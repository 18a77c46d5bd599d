import type { Command } from 'commander'
import type { Does } from './does.js'
import { type JobsCommandOptions, jobsCommand } from './jobs.js'
import { type ScrubCommandOptions, scrubCommand } from './scrub.js'
import { type MigrateCommandOptions, migrateCommand } from './storage-migrate.js'
import { type SweepCommandOptions, sweepCommand } from './sweep.js'

/** Looking after what is stored. */
export function addStorageCommands(program: Command, does: Does): void {
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
    .option('--force', 'go on where file after file is missing, and name them all')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nNothing is changed and nothing leaves the service. Exit code 0: all is well; 1: damage, or refused.',
    )
    .action(does<ScrubCommandOptions>(scrubCommand))
  program
    .command('storage')
    .description('move sealed files from one place to another')
    .command('migrate')
    .description('copy sealed files from the disk to S3, or back, while the service goes on')
    .requiredOption('--to <place>', 's3 or disk')
    .option('--verify', 'read and compare also what is at both places already')
    .option('--remove-source', 'destroy at the old place what is at the new one and the same')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nMay be broken off and given again. The way of a move: this command; then the service with' +
        '\nSTORAGE_DRIVER at the new place and STORAGE_FALLBACK at the old one; the command again; when it has' +
        '\nnothing left to copy, --remove-source; then the service without STORAGE_FALLBACK.' +
        '\nExit code 0: all is there; 1: some are damaged, or it is refused.',
    )
    .action(does<MigrateCommandOptions>(migrateCommand))
  program
    .command('jobs')
    .description('what the service does by itself: what is under way, due, or failed')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExit code 0: none has failed; 1: some have, and are tried again.')
    .action(does<JobsCommandOptions>(jobsCommand))
}
