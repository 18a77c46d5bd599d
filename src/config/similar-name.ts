/** Edit distance of two words (Levenshtein): insertions, deletions and substitutions. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution))
    }
    row = next
  }
  return row[b.length] ?? 0
}

// Short names of other programs lie close to ours by chance.
const MIN_LENGTH = 7

/** The known name that `name` is probably a slip of, or undefined. */
export function similarName(name: string, known: Iterable<string>): string | undefined {
  if (name.length < MIN_LENGTH) return undefined
  const limit = name.length < 10 ? 1 : 2
  let best: { name: string; distance: number } | undefined
  for (const each of known) {
    if (each.length < MIN_LENGTH - 1 || Math.abs(each.length - name.length) > limit) continue
    const distance = editDistance(name.toUpperCase(), each)
    if (distance <= limit && distance < (best?.distance ?? Infinity))
      best = { name: each, distance }
  }
  return best?.name
}
