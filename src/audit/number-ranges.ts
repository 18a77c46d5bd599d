/** Numbers from `first` to `last`, both included. */
export type NumberRange = readonly [first: number, last: number]

/** Sorted, disjoint ranges of numbers in any order. */
export function rangesOf(numbers: Iterable<number>): NumberRange[] {
  const ranges: [number, number][] = []
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && number <= last[1] + 1) last[1] = Math.max(last[1], number)
    else ranges.push([number, number])
  }
  return ranges
}

/** `1-5,7`; nothing for none. */
export function rangesText(ranges: readonly NumberRange[]): string {
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

/** Reads what `rangesText` writes: nothing where it is anything else. */
export function parseRanges(text: string): NumberRange[] | undefined {
  if (text === '') return []
  const ranges: [number, number][] = []
  for (const part of text.split(',')) {
    const [, first = '', last = first] = /^([1-9]\d{0,15})(?:-([1-9]\d{0,15}))?$/.exec(part) ?? []
    const [from, to] = [Number(first), Number(last)]
    if (first === '' || to < from || from <= (ranges.at(-1)?.[1] ?? -1) + 1) return undefined
    ranges.push([from, to])
  }
  return ranges
}

export function countIn(ranges: readonly NumberRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
}

export function isIn(ranges: readonly NumberRange[], number: number): boolean {
  return ranges.some(([first, last]) => first <= number && number <= last)
}

/** What is in both. */
export function meet(ranges: readonly NumberRange[], [first, last]: NumberRange): NumberRange[] {
  return ranges.flatMap(([from, to]): NumberRange[] => {
    const both: NumberRange = [Math.max(from, first), Math.min(to, last)]
    return both[0] <= both[1] ? [both] : []
  })
}

/** What is in `ranges` and not in the other. */
export function without(ranges: readonly NumberRange[], [first, last]: NumberRange): NumberRange[] {
  return ranges.flatMap(([from, to]): NumberRange[] => {
    if (last < from || to < first) return [[from, to]]
    const left: NumberRange = [from, first - 1]
    const right: NumberRange = [last + 1, to]
    return [left, right].filter(([a, b]) => a <= b)
  })
}
