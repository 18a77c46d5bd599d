/**
 * Passes `source` on until `signal` aborts, then throws its reason at once: a source that never
 * answers again cannot hold its reader. The source is told to end, and not waited for.
 */
export async function* interruptible<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void> {
  const iterator = source[Symbol.asyncIterator]()
  // One listener and one current waiter: racing each step against one long promise would keep
  // every chunk reachable until the end.
  let interrupt: (() => void) | undefined
  const onAbort = () => interrupt?.()
  signal?.addEventListener('abort', onAbort)
  let ended = false
  try {
    for (;;) {
      signal?.throwIfAborted()
      const step = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        interrupt = () => {
          reject(signal?.reason as Error)
        }
        iterator.next().then(resolve, reject)
      })
      if (step.done === true) {
        ended = true
        return
      }
      yield step.value
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    if (!ended) iterator.return?.().catch(() => undefined)
  }
}
