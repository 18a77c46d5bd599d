/**
 * The promise, or after `ms` milliseconds `expired()` thrown; the promise itself goes on unheard.
 */
export async function withTimeLimit<T>(
  promise: Promise<T>,
  ms: number,
  expired: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(expired())
    }, ms)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}
