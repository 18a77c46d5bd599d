import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { FernetKey } from '../../src/crypto/fernet-key.js'
import type { RemoteCall } from '../../src/keys/remote-key-provider.js'
import { type TransitKey, vaultKeyProvider } from '../../src/keys/vault-key-provider.js'
import type { PeerAnswer } from '../helpers/peer.js'
import { startVault, type VaultSetting } from '../helpers/vault-server.js'

/*
 * Against a server of ours that answers as the documentation of Vault's Transit API says
 * (test/helpers/vault-server.ts). Never run against the real Vault.
 */

const anna = { use: 'user-key', user: 'änna', version: 1 } as const
const away = { code: 'keys_unavailable', away: true }
const refused = { code: 'keys_unavailable', away: false }
const wraps = (version: number): TransitKey => ({ name: 'strongroom', version })

interface Settings {
  readonly keys?: readonly [TransitKey, ...TransitKey[]]
  readonly timeoutMs?: number
  readonly readToken?: () => Promise<string>
}

async function startService(t: Test, setting: VaultSetting = {}) {
  const vault = await startVault(setting)
  t.teardown(() => vault.stop())
  const key = { versions: [randomBytes(32), randomBytes(32)] }
  vault.keys.set('strongroom', key)
  const calls: RemoteCall[] = []
  const providerWith = (settings: Settings = {}) => {
    const provider = vaultKeyProvider({
      address: `${vault.origin}/`,
      ...{ mount: 'transit', timeoutMs: 2_000, keys: [wraps(1)] as const },
      ...{ readToken: () => Promise.resolve(vault.token), onCall: (call) => calls.push(call) },
      ...setting,
      ...settings,
    })
    t.teardown(() => provider.close())
    return provider
  }
  return { vault, key, calls, providerWith, provider: providerWith() }
}

const timed = async (work: Promise<unknown>) => {
  const start = performance.now()
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { error, ms: performance.now() - start }
}

await t.test(
  'a key is wrapped with the version asked for, and opened for its claims',
  async (t) => {
    const { vault, provider } = await startService(t, { mount: 'teams/transit', namespace: 'ward' })
    const key = FernetKey.generate()
    const wrapped = await provider.wrap(key, anna)
    const [id] = provider.masterKeyIds
    t.match(wrapped, new RegExp(`^vault:${id}:vault:v1:[A-Za-z0-9+/]+=*$`))
    const opened = await provider.unwrapNamed(wrapped, anna)
    t.equal(opened.key.exportText(), key.exportText())
    t.equal(opened.masterKeyId, id)
    const [encrypting, decrypting] = vault.bodies.slice(-2)
    const associated_data = Buffer.from('{"use":"user-key","user":"änna","version":1}').toString(
      'base64',
    )
    t.same(encrypting, {
      plaintext: Buffer.from(key.exportText(), 'base64url').toString('base64'),
      associated_data,
      key_version: 1,
    })
    t.same(decrypting, { ciphertext: wrapped.slice(`vault:${id}:`.length), associated_data })
    const shuffled = { version: 1, user: 'änna', use: 'user-key' } as const
    await provider.unwrap(wrapped, shuffled)
    for (const old of [false, true]) {
      vault.old = old
      for (const claims of [
        { ...anna, user: 'bert' },
        { ...anna, version: 2 },
        { use: 'index-key' },
        { use: 'check' },
      ] as const) {
        await t.rejects(provider.unwrap(wrapped, claims), {
          code: 'damaged',
          reason: 'unauthentic',
        })
      }
    }
  },
)

await t.test('each version is a master key of its own', async (t) => {
  const { providerWith, provider } = await startService(t)
  const both = providerWith({ keys: [wraps(2), wraps(1)] })
  t.equal(both.masterKeyIds[1], provider.masterKeyIds[0])
  const old = await provider.wrap(FernetKey.generate(), anna)
  t.equal((await both.unwrapNamed(old, anna)).masterKeyId, both.masterKeyIds[1])
  const fresh = await both.wrap(FernetKey.generate(), anna)
  t.match(fresh, /:vault:v2:/)
  await t.rejects(provider.unwrap(fresh, anna), { code: 'damaged' })
  const [second, first] = both.masterKeyIds
  for (const relabelled of [
    fresh.replace(second, String(first)),
    old.replace(String(first), second),
    old.replace(':v1:', ':v2:'),
    old.replace(':v1:', ':v01:'),
  ]) {
    await t.rejects(both.unwrap(relabelled, anna), { code: 'damaged' }, relabelled.slice(0, 40))
  }
})

await t.test('what is in a row is not believed', async (t) => {
  const { vault, provider } = await startService(t)
  const [id] = provider.masterKeyIds
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  const asked = vault.asked()
  for (const text of [
    'vault:',
    'vault:v1:AAAA',
    `vault:${id}:vault:v1:`,
    `vault:${id}:vault:v1:!`,
    `vault:${id}:v1:AAAA`,
    `vault:${'0'.repeat(16)}:vault:v1:AAAA`,
    `${wrapped}\n`,
  ]) {
    await t.rejects(provider.unwrap(text, anna), { code: 'damaged' }, text.slice(0, 40))
  }
  t.equal(vault.asked(), asked)
  await t.rejects(provider.unwrap(`vault:${id}:vault:v1:AAAA`, anna), { code: 'damaged' }, 'short')
})

await t.test('an answer that is none', async (t) => {
  const { vault, provider: first, providerWith } = await startService(t)
  const wrapped = await first.wrap(FernetKey.generate(), anna)
  const ok = (body: unknown): PeerAnswer => ({ status: 200, body: JSON.stringify(body) })
  const key = (bytes: number) => ({ plaintext: randomBytes(bytes).toString('base64') })
  for (const [body, expected] of [
    [{ data: key(31) }, { code: 'damaged' }],
    [{ data: key(33) }, { code: 'damaged' }],
    [{ data: { plaintext: '' } }, { code: 'damaged' }],
    [{ data: {} }, away],
    [{ data: { plaintext: 5 } }, away],
    [{}, away],
    [[], away],
  ] as const) {
    vault.interfere(() => ok(body))
    const unwrapping = providerWith({ timeoutMs: 300 }).unwrap(wrapped, anna)
    await t.rejects(unwrapping, expected, JSON.stringify(body).slice(0, 30))
  }
  for (const ciphertext of ['vault:v2:AAAA', 'vault:v1:', 'v1:AAAA', 5, undefined]) {
    vault.interfere(() => ok({ data: { ciphertext } }))
    const wrapping = providerWith({ timeoutMs: 300 }).wrap(FernetKey.generate(), anna)
    await t.rejects(wrapping, { ...away, fault: 'garbage' }, String(ciphertext))
  }
})

await t.test('sealed, busy or failing, then back', async (t) => {
  const { vault, provider, calls } = await startService(t)
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  for (const status of [412, 429, 500, 502, 503, 307]) {
    calls.length = 0
    const body = JSON.stringify({ errors: ['Vault is sealed'] })
    vault.interfere((nth) => (nth <= 2 ? { status, body } : undefined))
    await provider.unwrap(wrapped, anna)
    t.equal(calls.length, 3, String(status))
  }
})

await t.test('what does not get better ends in time', async (t) => {
  const { vault, provider: first, providerWith } = await startService(t)
  const wrapped = await first.wrap(FernetKey.generate(), anna)
  const ends = async (fault: string) => {
    const provider = providerWith({ timeoutMs: 600 })
    const { error, ms } = await timed(provider.unwrap(wrapped, anna))
    t.match(error, { ...away, fault, retryAfter: 5 }, fault)
    t.ok(ms < 1_500, `${fault}: ${ms} ms`)
    const again = await timed(provider.unwrap(wrapped, anna))
    t.match(again.error, { ...away, fault }, 'the breaker')
    t.ok(again.ms < 50, `${again.ms} ms`)
  }
  vault.sealed = true
  await ends('failing')
  vault.sealed = false
  vault.interfere(() => 'hang')
  await ends('timeout')
  vault.interfere(() => ({ status: 200, body: '<html>' }))
  await ends('garbage')
  vault.interfere(undefined)
  await vault.stop()
  await ends('unreachable')
})

await t.test('a refusal is not repeated, and is no outage', async (t) => {
  const { vault, key, providerWith, provider } = await startService(t)
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  const once = async (
    fault: string,
    work: () => Promise<unknown> = () => provider.unwrap(wrapped, anna),
  ) => {
    const asked = vault.asked()
    await t.rejects(work(), { ...refused, fault }, fault)
    t.equal(vault.asked(), asked + 1)
  }
  Object.assign(key, { minDecryptionVersion: 2 })
  await once('disabled')
  Object.assign(key, { minDecryptionVersion: 1, minEncryptionVersion: 2 })
  await once('disabled', () => providerWith().wrap(FernetKey.generate(), anna))
  await provider.unwrap(wrapped, anna)
  vault.keys.delete('strongroom')
  await once('missing')
  vault.keys.set('strongroom', key)
  await once('missing', () => providerWith({ keys: [wraps(3)] }).wrap(FernetKey.generate(), anna))
  await provider.unwrap(wrapped, anna)
})

await t.test('a key that does not bind associated data wraps nothing', async (t) => {
  const { vault, providerWith } = await startService(t)
  const versions = [randomBytes(32)]
  for (const kind of [{ isAead: false }, { derived: true }, { ignoresAssociatedData: true }]) {
    vault.keys.set('strongroom', { versions, ...kind })
    const wrapping = providerWith().wrap(FernetKey.generate(), anna)
    await t.rejects(wrapping, { ...refused, fault: 'unfit' }, JSON.stringify(kind))
  }
})

await t.test('a token renewed in its file is taken up', async (t) => {
  const { vault, providerWith } = await startService(t)
  const file = join(t.testdir({ token: vault.token }), 'token')
  const readToken = () => readFile(file, 'utf8')
  const provider = providerWith({ readToken })
  const wrapped = await provider.wrap(FernetKey.generate(), anna)
  vault.token = 'hvs.renewed'
  await t.rejects(provider.unwrap(wrapped, anna), { ...refused, fault: 'denied' }, 'not yet')
  await writeFile(file, vault.token)
  const asked = vault.asked()
  await provider.unwrap(wrapped, anna)
  t.equal(vault.asked(), asked + 2, 'refused once, then with the new one')
  await provider.unwrap(wrapped, anna)
  t.equal(vault.asked(), asked + 3)
  await writeFile(file, 'hvs.wrong')
  await provider.unwrap(wrapped, anna)
  vault.token = 'hvs.other'
  await t.rejects(provider.unwrap(wrapped, anna), { ...refused, fault: 'denied' })
  const gone = () => Promise.reject(Object.assign(new Error('hush'), { code: 'ENOENT' }))
  const without = providerWith({ timeoutMs: 300, readToken: gone })
  await t.rejects(without.unwrap(wrapped, anna), { ...away, fault: 'no_credentials' })
})
