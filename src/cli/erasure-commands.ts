import type { Command } from 'commander'
import {
  type CertificateOptions,
  issueCertificateCommand,
  publicKeyCommand,
  type VerifyOptions,
  verifyCertificateCommand,
} from './certificate.js'
import type { Does } from './does.js'
import {
  type HoldListOptions,
  type HoldPlaceOptions,
  type HoldReleaseOptions,
  holdListCommand,
  holdPlaceCommand,
  holdReleaseCommand,
} from './hold.js'
import { type PurgeOptions, purgeCommand } from './purge.js'
import { type ShredOptions, shredCommand } from './shred.js'

const by = ['--by <name>', 'who orders it (default: the user of this machine)'] as const
const json = ['--json', 'print it as JSON'] as const

/** Destroying, holding back, and the proof of it. */
export function addErasureCommands(program: Command, does: Does): void {
  program
    .command('purge')
    .description('destroy deleted files whose retention time is over')
    .option(...json)
    .addHelpText('after', '\nThe service does this every hour. What is under legal hold stays.')
    .action(does<PurgeOptions>(purgeCommand))
  program
    .command('shred')
    .description('destroy a file, a version or a person at once, whatever the retention')
    .option('--file <id>', 'the file, live or deleted')
    .option('--version <n>', 'this version of it alone; not the current one')
    .option(
      '--person <id>',
      'every key of the person, their files, and records nobody else can open',
    )
    .option('--yes', 'do it; without this it says how much would be destroyed')
    .option('--rewrite', 'on PostgreSQL: write the tables anew, which locks them meanwhile')
    .option('--finish <erasure id>', 'go on with one that was broken off, or rewrite afterwards')
    .option(...by)
    .option(...json)
    .addHelpText(
      'after',
      '\nThere is no way back. Prints the certificate, to be kept: > certificate.json' +
        '\nExit code 0: done, or a dry run; 1: refused, by a legal hold for instance.',
    )
    .action(does<ShredOptions>(shredCommand))
  addHoldCommands(
    program.command('hold').description('legal holds: what must not be destroyed'),
    does,
  )
  addCertificateCommands(
    program.command('certificate').description('what an erasure destroyed, signed'),
    does,
  )
}

function addHoldCommands(hold: Command, does: Does): void {
  hold
    .command('place')
    .description('keep a file, or all files of a person and every record about them')
    .option('--file <id>', 'the file')
    .option('--person <id>', 'the person')
    .requiredOption('--reference <id>', 'the id of the case: no names, nothing of its matter')
    .option(...by)
    .option(...json)
    .action(does<HoldPlaceOptions>(holdPlaceCommand))
  const release = does<HoldReleaseOptions & { id: string }>(holdReleaseCommand)
  hold
    .command('release')
    .description('end a hold; others may still stand')
    .argument('<id>', 'as `hold list` shows it')
    .option(...by)
    .option(...json)
    .action((id: string, options: HoldReleaseOptions) => release({ ...options, id }))
  hold
    .command('list')
    .description('the holds that stand')
    .option('--all', 'those that were released, too')
    .option(...json)
    .action(does<HoldListOptions>(holdListCommand))
}

function addCertificateCommands(certificate: Command, does: Does): void {
  const issue = does<CertificateOptions & { id: string }>(issueCertificateCommand)
  certificate
    .command('issue', { isDefault: true })
    .description('what an erasure destroyed, and what is outstanding now')
    .argument('<erasure id>', 'as `shred` said it')
    .action((id: string, options: CertificateOptions) => issue({ ...options, id }))
  const verify = does<VerifyOptions & { file: string }>(verifyCertificateCommand)
  certificate
    .command('verify')
    .description('check a certificate and say what is in it; needs no service and no settings')
    .argument('<file>', 'the certificate')
    .requiredOption('--key <file>', 'the public key, as `certificate key` printed it')
    .option(...json)
    .addHelpText('after', '\nExit code 0: genuine; 1: not, or not of this key.')
    .action((file: string, options: VerifyOptions) => verify({ ...options, file }))
  certificate
    .command('key')
    .description('print the public key that checks certificates (PEM): keep it apart from them')
    .option(...json)
    .action(does<CertificateOptions>(publicKeyCommand))
}
