import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Certificate, type Condition, verifyCertificate } from '../erasure/certificate.js'
import { CommandFailure, type ExitCode, type Terminal } from './context.js'
import { operate } from './operate.js'

export interface CertificateOptions {
  readonly json?: boolean
}

export interface VerifyOptions {
  readonly key: string
  readonly json?: boolean
}

/** `strongroom certificate <erasure id>` */
export async function issueCertificateCommand(
  terminal: Terminal,
  { id }: { readonly id: string },
): Promise<ExitCode> {
  const { certificate } = await operate(terminal, 'certificate', { erasure_id: id })
  terminal.out(certificate.trimEnd())
  return 0
}

/** `strongroom certificate key` */
export async function publicKeyCommand(
  terminal: Terminal,
  { json }: CertificateOptions,
): Promise<ExitCode> {
  const key = await operate(terminal, 'certificate-key', {})
  terminal.out(json === true ? JSON.stringify(key) : key.public_key.trimEnd())
  return 0
}

/** `strongroom certificate verify`: 1 where it is not genuine. Touches nothing but the two files. */
export async function verifyCertificateCommand(
  terminal: Terminal,
  { file, key, json }: VerifyOptions & { readonly file: string },
): Promise<ExitCode> {
  const written = await readText(terminal, file)
  const found = verifyCertificate(written, await readText(terminal, key))
  if (found === undefined) {
    throw new CommandFailure('not genuine: altered, or not signed with this key')
  }
  if (json === true) terminal.out(JSON.stringify(found))
  else for (const line of describe(found)) terminal.out(line)
  return 0
}

async function readText({ cwd }: Terminal, path: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, path), 'utf8')
  } catch {
    throw new CommandFailure(`${path} cannot be read`)
  }
}

function describe(found: Certificate): string[] {
  const { what, destroyed } = found
  return [
    `genuine: issued at ${found.issued_at}, signed by ${found.deployment}`,
    `erasure ${found.erasure_id} of ${subjectOf(what)}`,
    `requested by ${found.requested_by} at ${found.requested_at}`,
    `destroyed: ${destroyed.user_keys} user keys, ${destroyed.file_keys} wrapped file keys, ` +
      `${destroyed.files} files, ${destroyed.versions} sealings`,
    `records others can still open: ${found.records_kept}`,
    `state: ${found.state}`,
    ...found.complete_when.map((each) => `  ${each.met ? 'done' : 'outstanding'}: ${nameOf(each)}`),
    'not covered:',
    ...found.not_covered.map((each) => `  ${each}`),
  ]
}

function subjectOf({ kind, file_id, version, person_id }: Certificate['what']): string {
  if (kind === 'person') return `person ${String(person_id)}`
  return `file ${String(file_id)}${version === null ? '' : `, version ${version}`}`
}

function nameOf(condition: Condition): string {
  switch (condition.condition) {
    case 'everything_destroyed_here':
      return 'keys and sealed bytes destroyed here'
    case 'old_copies_in_database_removed':
      return 'old copies removed from the files of the database'
    case 'master_key_retired':
      return `master key ${condition.master_key} retired`
    case 'last_backup_expired':
      return `last backup that may hold it expired${condition.at === null ? '' : ` at ${condition.at}`}`
  }
}
