import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type MadeBackup, makeBackup, type Protection } from '../../src/backup/make-backup.js'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import { localKeyProvider } from '../../src/keys/local-key-provider.js'

/*
 * docs/open-backup.py opens a backup of the keys with Python's `cryptography` and `argon2-cffi`, and
 * nothing of ours. The interpreter is the system's, where its package manager puts these.
 */
const python = '/usr/bin/python3'
const script = fileURLToPath(new URL('../../docs/open-backup.py', import.meta.url))
const folder = t.testdir()
const passphrase = 'a passphrase with an é in it'
const masterKeys = [FernetKey.generate().exportText(), FernetKey.generate().exportText()]
const provider = localKeyProvider(masterKeys)
const [id] = provider.masterKeyIds
const wrapped = await provider.wrap(FernetKey.generate(), { use: 'index-key' })
const rows = [{ use: 'index-key', master_key_id: id, wrapped }]
let count = 0

async function made(protection: Protection): Promise<MadeBackup & { path: string }> {
  const backup = await makeBackup({ provider, masterKeys }, rows, protection)
  return { ...backup, path: written(backup.text) }
}

function written(text: string): string {
  const path = join(folder, `${(count += 1)}.txt`)
  writeFileSync(path, text)
  return path
}

/** Runs the script on a terminal of its own, on which the passphrase is typed when it is asked for. */
async function opens(backup: string, shares: readonly string[], typed = '') {
  const output = join(folder, `${(count += 1)}.out`)
  const line = [python, script, backup, output, ...shares].join(' ')
  const child = spawn('script', ['-qec', line, '/dev/null'])
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if ((shown += text).endsWith('Passphrase: ')) child.stdin.write(`${typed}\n`)
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, shown, output }
}

void t.test('shares', async (t) => {
  const { path, shares } = await made({ threshold: 3, shares: 5 })
  const files = shares.map(written)
  const { code, shown, output } = await opens(path, [
    files[4] ?? '',
    files[0] ?? '',
    files[2] ?? '',
  ])
  t.equal(code, 0, shown)
  t.equal(readFileSync(output, 'utf8'), `${masterKeys.join('\n')}\n`)
  t.equal(statSync(output).mode & 0o777, 0o600)
  t.ok(shown.includes(`index-key\t${id}\t${wrapped}`))
  t.match(await opens(path, files.slice(0, 2)), { code: 1, shown: /too few shares/ })
  const other = await made({ threshold: 3, shares: 5 })
  t.match(await opens(other.path, files), { code: 1, shown: /another backup/ })
})

void t.test('a passphrase', async (t) => {
  const { path, text } = await made({ passphrase })
  const { code, shown, output } = await opens(path, [], passphrase)
  t.equal(code, 0, shown)
  t.equal(readFileSync(output, 'utf8'), `${masterKeys.join('\n')}\n`)
  t.notOk(shown.includes(passphrase))
  t.match(await opens(path, [], 'another'), { code: 1, shown: /another passphrase/ })
  const damaged = written(text.replace(/"created_at": "2/, '"created_at": "3'))
  t.match(await opens(damaged, []), { code: 1, shown: /the file is damaged/ })
})
