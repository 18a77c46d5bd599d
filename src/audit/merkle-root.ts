import { createHash } from 'node:crypto'

/** Hash of a tree over `leaves` in their order (RFC 9162, section 2.1.1). */
export function merkleRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return createHash('sha256').digest()
  let level = leaves.map((leaf) => hash(0, leaf))
  while (level.length > 1) level = parents(level)
  const [root] = level
  if (root === undefined) throw new Error('A level cannot become empty')
  return root
}

/** A last one without a sibling goes up as it is: the same tree as the RFC's, which splits at powers of two. */
function parents(level: readonly Buffer[]): Buffer[] {
  const above: Buffer[] = []
  for (let n = 0; n < level.length; n += 2) {
    const [left, right] = [level[n], level[n + 1]]
    if (left !== undefined) above.push(right === undefined ? left : hash(1, left, right))
  }
  return above
}

function hash(prefix: 0 | 1, ...parts: readonly Uint8Array[]): Buffer {
  const sum = createHash('sha256').update(Buffer.of(prefix))
  for (const part of parts) sum.update(part)
  return sum.digest()
}
