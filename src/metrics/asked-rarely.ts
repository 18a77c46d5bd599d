export interface Rarely {
  /** Milliseconds an answer is good for. */
  readonly forMs: number
  /** Milliseconds it is waited for. */
  readonly withinMs: number
}

/**
 * A question whose answer is remembered for a while. A new one is not asked while the last one is under
 * way: something that hangs is asked once, however often somebody looks.
 * @throws Error where there is no answer in time, or what the question threw
 */
export function askedRarely<T>(ask: () => Promise<T>, { forMs, withinMs }: Rarely) {
  let known: { readonly answer: T; readonly until: number } | undefined
  let underWay: Promise<T> | undefined
  const askAndKeep = async () => {
    const answer = await ask()
    known = { answer, until: performance.now() + forMs }
    return answer
  }
  return async (): Promise<T> => {
    if (known !== undefined && performance.now() < known.until) return known.answer
    underWay ??= askAndKeep().finally(() => {
      underWay = undefined
    })
    return await within(underWay, withinMs)
  }
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error('No answer in time'))
    }, ms)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}
