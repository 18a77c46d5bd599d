import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { decodeBase32, encodeBase32 } from '../../../src/backup/base32.js'
import {
  joinShares,
  parseShare,
  renderShare,
  type Share,
  splitSecret,
} from '../../../src/backup/shares.js'

const secret = randomBytes(32)
const backupId = randomUUID()

/** All ways to take `k` of them. */
function subsets<T>(items: readonly T[], k: number): T[][] {
  const [first, ...rest] = items
  if (k === 0) return [[]]
  if (first === undefined) return []
  return [...subsets(rest, k - 1).map((each) => [first, ...each]), ...subsets(rest, k)]
}

const throughText = (shares: readonly Share[]) =>
  shares.map((share) => parseShare(renderShare(share), 'a share'))

void t.test('any k of n shares give the secret, k − 1 do not', async (t) => {
  for (const [threshold, shares] of [
    [2, 2],
    [2, 3],
    [3, 5],
    [5, 5],
    [2, 16],
    [4, 6],
  ] as const) {
    const terms = { threshold, shares }
    const all = throughText(await splitSecret(secret, backupId, terms))
    t.equal(all.length, shares)
    for (const chosen of subsets(all, threshold)) {
      const joined = await joinShares(chosen, backupId, terms)
      if (!secret.equals(joined)) t.fail(`${chosen.map(({ index }) => index).join()} of ${shares}`)
    }
    t.ok(secret.equals(await joinShares(all, backupId, terms)), 'more than it takes')
    for (const few of subsets(all, threshold - 1)) {
      await t.rejects(joinShares(few, backupId, terms), { code: 'conflict', message: /Too few/ })
    }
  }
})

void t.test('fewer shares than it takes say nothing of the secret', async (t) => {
  const zeros = new Uint8Array(32)
  const seen = new Set<string>()
  for (let n = 0; n < 50; n += 1) {
    const [share] = await splitSecret(zeros, backupId, { threshold: 2, shares: 2 })
    seen.add(Buffer.from(share?.part ?? []).toString('hex'))
  }
  t.equal(seen.size, 50)
})

void t.test('a share altered in any character is refused', async (t) => {
  const [share] = await splitSecret(secret, backupId, { threshold: 2, shares: 3 })
  if (share === undefined) throw new Error('no share')
  const text = renderShare(share).trim()
  for (let at = 0; at < text.length; at += 1) {
    for (const other of ['0', '7', 'Z', '-', ' ', 'é']) {
      const changed = text.slice(0, at) + other + text.slice(at + 1)
      if (changed === text || sameShare(changed, text)) continue
      t.throws(() => parseShare(changed, 'x'), { code: 'invalid_field', message: /x is no share/ })
    }
    t.throws(() => parseShare(text.slice(0, at), 'x'), { code: 'invalid_field' }, `cut at ${at}`)
  }
})

/** Dashes and spaces of the last line are for the eye, where it stands alone. */
function sameShare(one: string, other: string): boolean {
  const plain = (text: string) => text.replaceAll(/[\s-]/g, '')
  return !one.includes('\n') && plain(one) === plain(other)
}

void t.test('the last line is enough, however it is typed', async (t) => {
  const [share] = await splitSecret(secret, backupId, { threshold: 2, shares: 3 })
  if (share === undefined) throw new Error('no share')
  const line = renderShare(share).trim().split('\n').at(-1) ?? ''
  for (const typed of [line, line.toLowerCase(), line.replaceAll('-', ' '), `\n ${line}\r\n`]) {
    t.same(parseShare(typed, 'x'), share)
  }
  for (let at = 4; at < line.length; at += 1) {
    const other = line[at] === 'A' ? 'B' : 'A'
    if (line[at] === '-') continue
    t.throws(() => parseShare(line.slice(0, at) + other + line.slice(at + 1), 'x'), {
      code: 'invalid_field',
    })
  }
})

void t.test('shares that do not belong together are told apart', async (t) => {
  const terms = { threshold: 2, shares: 3 }
  const [one, two] = await splitSecret(secret, backupId, terms)
  const [foreign] = await splitSecret(secret, randomUUID(), terms)
  const [other] = await splitSecret(secret, backupId, { threshold: 2, shares: 4 })
  if (!one || !two || !foreign || !other) throw new Error('no shares')
  const join = (...shares: Share[]) => joinShares(shares, backupId, terms)
  await t.rejects(join(one, foreign), { code: 'conflict', message: /of another backup/ })
  await t.rejects(join(one, one), { code: 'conflict', message: /given twice/ })
  await t.rejects(join(one, two, two), { code: 'conflict', message: /given twice/ })
  await t.rejects(join(one, other), { code: 'conflict', message: /does not say/ })
})

void t.test('base 32 has one text for each value', (t) => {
  for (let length = 0; length < 20; length += 1) {
    const bytes = randomBytes(length)
    t.same(decodeBase32(encodeBase32(bytes)), bytes)
  }
  t.equal(encodeBase32(Buffer.from([0xff, 0xff])), 'ZZZG')
  for (const wrong of ['U', 'I', 'ZZZH', 'z', 'A']) t.equal(decodeBase32(wrong), undefined, wrong)
  t.end()
})
