import type { Command } from 'commander'
import type { Does } from './does.js'
import {
  type KeysCommandOptions,
  keysStatusCommand,
  type ResealCommandOptions,
  resealCommand,
  retireMasterCommand,
  rotateMasterCommand,
  rotateUserCommand,
} from './keys.js'

/** Turning keys: below `keys`. */
export function addKeyCommands(keys: Command, does: Does): void {
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
  const rotateUser = does<KeysCommandOptions & { user: string }>(rotateUserCommand)
  keys
    .command('rotate-user')
    .description('give a person a new key, and wrap all they can open with it')
    .argument('<user>', 'id of the person, as the portal gives it')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nFiles are not touched. Who knows the old key *and* has a copy of what it wrapped can still open' +
        '\nthat: where a key has leaked, `keys reseal --user` afterwards seals the files themselves anew.',
    )
    .action((user: string, options: KeysCommandOptions) => rotateUser({ ...options, user }))
  keys
    .command('reseal')
    .description('seal files anew under fresh keys: where a key has leaked that opened them')
    .option('--user <id>', 'all files this person can open')
    .option('--file <id>', 'one file')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nReads and writes every byte of them. For a person whose key has leaked: `rotate-user` first, so that' +
        '\nthe fresh keys are wrapped with a new one. Who copied sealed files before keeps what those hold.',
    )
    .action(does<ResealCommandOptions>(resealCommand))
}
