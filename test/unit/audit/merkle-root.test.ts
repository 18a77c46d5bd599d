import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { merkleRoot } from '../../../src/audit/merkle-root.js'

const sha256 = (...parts: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest()

/** The definition, word for word (RFC 9162, section 2.1.1): split at the largest power of two below n. */
function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const [first] = leaves
  if (first === undefined) return sha256()
  if (leaves.length === 1) return sha256(Buffer.of(0), first)
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)))
}

await t.test('is the tree hash of RFC 9162, whatever the number of leaves', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 70 }), (leaves) => {
      t.ok(merkleRoot(leaves).equals(treeHash(leaves)), `${leaves.length} leaves`)
    }),
  )
  t.end()
})

await t.test('of nothing it is the hash of nothing', (t) => {
  t.equal(
    merkleRoot([]).toString('hex'),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  )
  t.end()
})
