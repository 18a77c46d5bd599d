import type { Command } from 'commander'
import type { Does } from './does.js'
import { type JobsCommandOptions, jobsCommand } from './jobs.js'
import { type ScrubCommandOptions, scrubCommand } from './scrub.js'
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
    .command('jobs')
    .description('what the service does by itself: what is under way, due, or failed')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExit code 0: none has failed; 1: some have, and are tried again.')
    .action(does<JobsCommandOptions>(jobsCommand))
}
