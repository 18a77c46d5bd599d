import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { makeBackup, type Protection } from '../../../src/backup/make-backup.js'
import { type Opener, openBackup, renderKeys } from '../../../src/backup/open-backup.js'
import { assertStrong, keyFromPassphrase } from '../../../src/backup/passphrase.js'
import type { KeptRow } from '../../../src/backup/ports.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { localKeyProvider } from '../../../src/keys/local-key-provider.js'

const passphrase = 'six words drawn by lot: café'
const masterKeys = [FernetKey.generate().exportText(), FernetKey.generate().exportText()]
const provider = localKeyProvider(masterKeys)

async function rowsOf(): Promise<KeptRow[]> {
  const rows: KeptRow[] = []
  for (const id of provider.masterKeyIds) {
    const wrapped = await provider.wrapWith(id, FernetKey.generate(), { use: 'check' })
    rows.push({ use: 'check', master_key_id: id, wrapped })
  }
  const [id] = provider.masterKeyIds
  const wrapped = await provider.wrap(FernetKey.generate(), { use: 'index-key' })
  rows.push({ use: 'index-key', master_key_id: id, wrapped })
  return [...rows, { use: 'of-a-later-version', master_key_id: id, wrapped: 'kept as it is' }]
}

const rows = await rowsOf()
const make = (protection: Protection) => makeBackup({ provider, masterKeys }, rows, protection)
const sharesOf = (texts: readonly string[]): Opener => ({
  shares: texts.map((text, at) => ({ name: `share ${at + 1}`, text })),
})
const expected = {
  master_keys: masterKeys.map((key, at) => ({ id: provider.masterKeyIds[at], key })),
  deployment_keys: rows,
}

const byPassphrase = await make({ passphrase })
const byShares = await make({ threshold: 2, shares: 3 })
const opener = sharesOf(byShares.shares.slice(1))

void t.test('what was sealed comes back', async (t) => {
  const opened = await openBackup(byPassphrase.text, { passphrase })
  t.same(opened.content, expected)
  t.same(opened.header, byPassphrase.header)
  t.equal(renderKeys(opened.content), `${masterKeys.join('\n')}\n`)
  t.same((await openBackup(byShares.text, opener)).content, expected)
  const decomposed = passphrase.normalize('NFD')
  t.not(decomposed, passphrase)
  await t.resolves(openBackup(byPassphrase.text, { passphrase: decomposed }))
})

void t.test('nothing secret is in the open', (t) => {
  for (const { text, shares } of [byPassphrase, byShares]) {
    for (const secret of [...masterKeys, passphrase, 'index-key', ...rows.map((r) => r.wrapped)]) {
      t.notOk([text, ...shares].some((each) => each.includes(secret)))
    }
  }
  t.end()
})

void t.test('wrong openers are told from damage', async (t) => {
  const wrong = { code: 'forbidden', message: /passphrase is wrong/ }
  await t.rejects(openBackup(byPassphrase.text, { passphrase: `${passphrase}.` }), wrong)
  const kind = { code: 'invalid_field', message: /a passphrase opens/ }
  await t.rejects(openBackup(byPassphrase.text, opener), kind)
  await t.rejects(openBackup(byShares.text, { passphrase }), { message: /shares open/ })
  const few = sharesOf(byShares.shares.slice(0, 1))
  await t.rejects(openBackup(byShares.text, few), { code: 'conflict', message: /Too few/ })
  const other = await make({ threshold: 2, shares: 3 })
  const foreign = sharesOf([byShares.shares[0] ?? '', other.shares[1] ?? ''])
  await t.rejects(openBackup(byShares.text, foreign), { message: /another backup/ })
})

void t.test('every byte changed, every cut, and what is added is refused', async (t) => {
  const bytes = Buffer.from(byShares.text)
  for (let at = 0; at < bytes.length; at += 1) {
    for (const bit of [1, 0x20, 0x80]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ bit
      await refuses(t, changed.toString('utf8'), `byte ${at} ^ ${bit}`)
    }
    await refuses(t, byShares.text.slice(0, at), `cut at ${at}`)
  }
  await refuses(t, `${byShares.text}\n`, 'a line more')
  await refuses(t, JSON.stringify(JSON.parse(byShares.text)), 'other spaces')
})

async function refuses(t: Test, text: string, name: string): Promise<void> {
  const refusal = await openBackup(text, opener).then(
    () => 'opened',
    (error: unknown) => (error as { code?: string }).code,
  )
  if (refusal !== 'damaged') t.fail(`${name}: ${String(refusal)}`)
}

type Fields = Record<string, unknown>

/** As someone does it who knows the format, but not the key. */
function tampered(text: string, change: (fields: Fields) => void): string {
  const fields = JSON.parse(text) as Fields
  delete fields['sha256']
  change(fields)
  const sha256 = createHash('sha256').update(JSON.stringify(fields)).digest('hex')
  return `${JSON.stringify({ ...fields, sha256 }, undefined, 2)}\n`
}

void t.test('an outside changed on purpose is found', async (t) => {
  const changes: Record<string, (fields: Fields) => void> = {
    created_at: (fields) => {
      fields['created_at'] = '2020-01-01T00:00:00.000Z'
    },
    master_key_ids: (fields) => {
      fields['master_key_ids'] = ['0'.repeat(16)]
    },
  }
  for (const [name, change] of Object.entries(changes)) {
    const text = tampered(byShares.text, change)
    await t.rejects(openBackup(text, opener), { code: 'damaged', message: /tampered/ }, name)
  }
  const fewer = tampered(byShares.text, (fields) => {
    fields['protection'] = { kind: 'shares', threshold: 2, shares: 4 }
  })
  await t.rejects(openBackup(fewer, opener), { message: /does not say what the backup says/ })
  const token = tampered(byShares.text, (fields) => {
    const sealed = String(fields['sealed'])
    fields['sealed'] = `${sealed.slice(0, 40)}${sealed[40] === 'A' ? 'B' : 'A'}${sealed.slice(41)}`
  })
  await t.rejects(openBackup(token, opener), { code: 'forbidden' })
  const salt = tampered(byPassphrase.text, (fields) => {
    fields['protection'] = { ...(fields['protection'] as Fields), salt: `${'A'.repeat(22)}==` }
  })
  await t.rejects(openBackup(salt, { passphrase }), { code: 'forbidden' })
})

void t.test('a hostile file gets neither memory nor time', async (t) => {
  const asks = [
    { memory_kib: 100 * 1024 * 1024 },
    { memory_kib: 1_048_577 },
    { memory_kib: 1024 },
    { memory_kib: '131072' },
    { passes: 17 },
    { passes: 4_294_967_295 },
    { passes: 1 },
    { lanes: 255 },
    { lanes: 0 },
    { salt: '' },
    { kdf: 'argon2i' },
    { more: 1 },
  ]
  const start = performance.now()
  for (const ask of asks) {
    const text = tampered(byPassphrase.text, (fields) => {
      fields['protection'] = { ...(fields['protection'] as Fields), ...ask }
    })
    await t.rejects(openBackup(text, { passphrase }), { code: 'damaged' }, JSON.stringify(ask))
  }
  t.ok(performance.now() - start < 2000)
  const many = tampered(byShares.text, (fields) => {
    fields['protection'] = { kind: 'shares', threshold: 3, shares: 2 }
  })
  await t.rejects(openBackup(many, opener), { code: 'damaged', message: /more shares/ })
  for (const text of ['', '{}', '[]', 'null', '{"what":"strongroom key backup"}']) {
    await t.rejects(openBackup(text, opener), { code: 'damaged', message: /no key backup/ })
  }
})

void t.test('keys that do not open the rows are not backed up', async (t) => {
  const others = [FernetKey.generate().exportText()]
  const use = { provider: localKeyProvider(others), masterKeys: others }
  await t.rejects(makeBackup(use, rows, { threshold: 2, shares: 2 }), {
    code: 'conflict',
    message: /not the keys of this database/,
  })
  await t.rejects(make({ passphrase: 'too short' }), { code: 'invalid_field' })
})

void t.test('a key that is held elsewhere is named, and its rows are kept', async (t) => {
  const [first = '', second = ''] = masterKeys
  const some = { provider, masterKeys: [second] }
  const backup = await makeBackup(some, rows, { threshold: 2, shares: 2 })
  const { header, content } = await openBackup(backup.text, sharesOf(backup.shares))
  t.same(header.master_key_ids, provider.masterKeyIds)
  t.same(content.master_keys, [{ id: provider.masterKeyIds[1], key: second }])
  t.same(content.deployment_keys, rows)
  t.notOk(JSON.stringify(content).includes(first))
})

void t.test('weak passphrases', (t) => {
  for (const weak of [
    '',
    'fifteen chars..',
    'a'.repeat(40),
    'abcabcabcabcabcabc',
    '💥'.repeat(15),
  ]) {
    t.throws(
      () => {
        assertStrong(weak)
      },
      { code: 'invalid_field', message: /too weak/ },
    )
  }
  t.doesNotThrow(() => {
    assertStrong('sixteen chars ok')
  })
  t.end()
})

void t.test('the key is the one that others make of a passphrase', async (t) => {
  // printf 'correct horse' | argon2 'saltsaltsaltsalt' -id -v 13 -k 65536 -t 3 -p 4 -l 32 -r
  const salt = Buffer.from('saltsaltsaltsalt').toString('base64url')
  const key = await keyFromPassphrase('correct horse', {
    ...{ kind: 'passphrase', kdf: 'argon2id', memory_kib: 65_536, passes: 3, lanes: 4 },
    salt: `${salt}==`,
  })
  t.equal(
    Buffer.from(key.exportText(), 'base64url').toString('hex'),
    '2de65b0f75002af51c002c7d8a5e173ed5ed1620d7dff49c444e1e4233983723',
  )
})
