import type { Command } from 'commander'
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
