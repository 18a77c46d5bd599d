import type { Command } from 'commander'
import {
  type AuditDropOptions,
  type AuditExportOptions,
  type AuditMonthsOptions,
  auditDropCommand,
  auditExportCommand,
  auditMonthsCommand,
  type CheckExportOptions,
  checkExportCommand,
} from './audit-months.js'
import { type AuditStatusOptions, auditStatusCommand } from './audit-status.js'
import { type AuditVerifyOptions, auditVerifyCommand } from './audit-verify.js'
import type { Does } from './does.js'

/** Looking after the audit log. */
export function addAuditCommands(audit: Command, does: Does): void {
  audit
    .command('status')
    .description('say how far the log is sealed, by the process that answers')
    .option('--json', 'print it as JSON')
    .action(does<AuditStatusOptions>(auditStatusCommand))
  audit
    .command('months')
    .description('the months of the log: how many events, exported or not, kept long enough or not')
    .option('--json', 'print them as JSON')
    .action(does<AuditMonthsOptions>(auditMonthsCommand))
  audit
    .command('export')
    .argument('<month>', 'like 2020-01')
    .description('every event of a month into a file, signed at its end')
    .requiredOption(
      '--out <file>',
      'where to: gzip, only for its owner to read; none is overwritten',
    )
    .option('--by <name>', 'who asks (default: the user of this machine)')
    .option('--json', 'print what was signed as JSON')
    .action((month: string, options: AuditExportOptions) =>
      does(auditExportCommand)({ ...options, month }),
    )
  audit
    .command('check-export')
    .argument('<file>', 'what `audit export` wrote')
    .description('say whether an export is whole and as it was signed; needs no database')
    .requiredOption('--key <file>', 'public key of the deployment (strongroom certificate key)')
    .option('--json', 'print what was signed as JSON')
    .action((file: string, options: CheckExportOptions) =>
      does(checkExportCommand)({ ...options, file }),
    )
  audit
    .command('drop')
    .argument('<month>', 'like 2020-01')
    .description('remove the oldest month, once it was kept long enough and exported')
    .requiredOption('--export <file>', 'its export, which is checked against the log first')
    .option('--yes', 'do it')
    .option('--by <name>', 'who orders it (default: the user of this machine)')
    .option('--json', 'print what was signed as JSON')
    .addHelpText(
      'after',
      '\nRefused before AUDIT_RETENTION_YEARS have passed, under a legal hold that touches the month, while' +
        '\nits events are not sealed or not delivered, and where the log is not what was written.',
    )
    .action((month: string, options: AuditDropOptions) =>
      does(auditDropCommand)({ ...options, month }),
    )
  audit
    .command('verify')
    .description('say whether the log is what was written, and where not')
    .option('--anchor <file>', 'signed heads kept elsewhere, one a line')
    .option('--by <name>', 'who asks (default: the user of this machine)')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nNothing is changed. Every event, seal and signed head is looked at, and what stands in the' +
        '\ndatabase though the log says it was ended. Heads in AUDIT_ANCHOR are read, where that is a file.' +
        '\nExit code 0: all is as it was written; 1: not.',
    )
    .action(does<AuditVerifyOptions>(auditVerifyCommand))
}
