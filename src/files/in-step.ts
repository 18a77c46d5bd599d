/** What one key has in two sources: both, or one of them. */
export interface Step<Left, Right> {
  readonly left: Left | undefined
  readonly right: Right | undefined
}

/**
 * Goes through two sources in step, each in strictly rising order of its keys, holding one of each
 * at a time. The sources are closed when the reader stops early.
 */
export async function* inStep<Left, Right>(
  lefts: AsyncIterable<Left>,
  rights: AsyncIterable<Right>,
  keyOf: { left: (left: Left) => string; right: (right: Right) => string },
): AsyncGenerator<Step<Left, Right>, void> {
  const [one, other] = [lefts[Symbol.asyncIterator](), rights[Symbol.asyncIterator]()]
  try {
    let [left, right] = [await valueOf(one), await valueOf(other)]
    while (left !== undefined || right !== undefined) {
      const order = compare(left && keyOf.left(left), right && keyOf.right(right))
      const step = {
        left: order <= 0 ? left : undefined,
        right: order >= 0 ? right : undefined,
      }
      yield step
      if (step.left !== undefined) left = await valueOf(one)
      if (step.right !== undefined) right = await valueOf(other)
    }
  } finally {
    await Promise.all([one.return?.(), other.return?.()])
  }
}

async function valueOf<T>(iterator: AsyncIterator<T>): Promise<T | undefined> {
  const step = await iterator.next()
  return step.done === true ? undefined : step.value
}

/** A source that has ended is behind everything. */
function compare(left: string | undefined, right: string | undefined): number {
  if (left === right) return 0
  if (left === undefined) return 1
  if (right === undefined) return -1
  return left < right ? -1 : 1
}
