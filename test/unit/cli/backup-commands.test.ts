import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeBackup } from '../../../src/backup/make-backup.js'
import { run } from '../../../src/cli/program.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { localKeyProvider } from '../../../src/keys/local-key-provider.js'

const masterKeys = [FernetKey.generate().exportText()]
const made = await makeBackup({ provider: localKeyProvider(masterKeys), masterKeys }, [], {
  threshold: 2,
  shares: 2,
})

const cwd = await mkdtemp(join(tmpdir(), 'cli-'))
t.teardown(() => rm(cwd, { recursive: true, force: true }))
await writeFile(join(cwd, 'b'), made.text)
await writeFile(join(cwd, 'one'), made.shares[0] ?? '')
await writeFile(join(cwd, 'long'), 'x'.repeat(1_048_577))
await writeFile(join(cwd, 'url'), 'mysql://user:hunter2@host/name')
const names = await readdir(cwd)

async function call(line: string, typed?: readonly string[]) {
  const [out, err, asked]: [string[], string[], string[]] = [[], [], []]
  const code = await run(line.split(' '), {
    ...{ cwd, loadEnvironment: () => ({ MASTER_KEYS: masterKeys[0], DATA_DIR: 'none' }) },
    ...{ out: (text) => out.push(text), err: (text) => err.push(text) },
    askSecret:
      typed === undefined
        ? undefined
        : (question) => {
            asked.push(question)
            return Promise.resolve(typed[asked.length - 1] ?? '')
          },
  })
  return { code, out: out.join('\n'), err: err.join('\n'), asked }
}

void t.test('called wrongly', async (t) => {
  for (const line of [
    'keys backup',
    'keys backup --out x --shares 2/3',
    'keys backup --out x --shares-dir y',
    'keys backup --out x --shares 1/3 --shares-dir y',
    'keys backup --out x --shares 3/2 --shares-dir y',
    'keys backup --out x --shares 2/17 --shares-dir y',
    'keys backup --out x --shares 2/3 --shares-dir y --passphrase-file one',
    'keys backup --out x --passphrase secret',
    'keys backup --out x',
    'keys restore b',
    'keys restore --out x',
    'keys restore b --out x',
    'keys restore b --out x --share one --passphrase-file one',
    'drill',
    'drill --backup b',
    'drill --backup b --files 0',
    'drill --backup b --files 10001',
    'drill --backup b --seed (',
    'drill --backup b --files-dir y',
    'drill --backup b --database-url-file url',
    'drill --backup b --database-url-file url --data-dir y',
  ]) {
    t.match(await call(line), { code: 2, out: '' }, line)
  }
  t.same(await readdir(cwd), names, 'nothing was made')
})

void t.test('it cannot be done', async (t) => {
  t.match(await call('keys backup --out b'), { code: 1, err: /b is there already/ })
  t.match(await call('keys restore none --out x'), { code: 1, err: /ENOENT/ })
  t.match(await call('keys restore long --out x'), { code: 1, err: /too long/ })
  t.match(await call('keys restore one --out x'), { code: 1, err: /no key backup/ })
  t.match(await call('keys restore b --out x --share one'), { code: 1, err: /Too few shares/ })
  t.match(await call('keys restore b --out x --share long'), { code: 1, err: /too long/ })
  const typed = ['sixteen characters', 'sixteen characterz']
  const differ = await call('keys backup --out x', typed)
  t.match(differ, { code: 1, err: /differ/, asked: ['Passphrase', 'Once more'] })
  const right = ['sixteen characters', 'sixteen characters']
  t.match(await call('keys backup --out x', right), { code: 1, err: /no database in/ })
  t.same(await readdir(cwd), names, 'nothing was made')
})

void t.test('an address with a password is not repeated', async (t) => {
  await writeFile(join(cwd, 'two'), made.shares[1] ?? '')
  const drill = 'drill --backup b --database-url-file url --files-dir . --share one two'
  const { code, err } = await call(drill)
  t.equal(code, 1)
  t.match(err, /url holds no address such as/)
  t.notMatch(err, /hunter2/)
})

void t.test('help', async (t) => {
  t.match(await call('keys backup --help'), { code: 0, out: /--shares-dir[^]*16 characters/ })
  t.match(await call('keys restore --help'), { code: 0, out: /--check-values/ })
  t.match(await call('drill --help'), { code: 0, out: /--data-dir[^]*Exit code 0/ })
})
