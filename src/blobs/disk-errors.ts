import { isStrongroomError, StrongroomError } from '../errors/strongroom-error.js'

const retryAfterSeconds = 10

/** The error's errno name, `ENOENT` and so on. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Resolves as `work` does; whatever the disk refuses becomes `storage_unavailable`. */
export async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw storageError(error)
  }
}

export function storageError(error: unknown): StrongroomError {
  if (isStrongroomError(error)) return error
  return new StrongroomError('storage_unavailable', {
    retryAfter: retryAfterSeconds,
    context: { errno: errnoOf(error) },
    cause: error,
  })
}

/** Awaits `work`; an error named `errno` counts as done, with nothing for an answer. */
export async function unlessErrno<T>(errno: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (errnoOf(error) !== errno) throw error
    return undefined
  }
}
