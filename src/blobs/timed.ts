/** Adds up time. */
export interface Clock {
  seconds: number
}

/** The same pieces; `clock` counts the time in which a next one was waited for. */
export function timed<T>(source: AsyncIterable<T>, clock: Clock): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const pieces = source[Symbol.asyncIterator]()
      const next = async () => {
        const start = performance.now()
        try {
          return await pieces.next()
        } finally {
          clock.seconds += (performance.now() - start) / 1_000
        }
      }
      return {
        next,
        return: async () => (await pieces.return?.()) ?? { done: true, value: undefined },
      }
    },
  }
}
