import { isStrongroomError } from '../errors/strongroom-error.js'
import type { BlobStore, StoredBlob } from './blob-store.js'

/**
 * A store that is being moved out of: what `main` has not is read from `former`. Everything new goes to `main`;
 * removing and looking after goes for both.
 */
export function fallbackBlobStore(main: BlobStore, former: BlobStore): BlobStore {
  const both = async <T>(work: (store: BlobStore) => Promise<T>) => [
    await work(main),
    await work(former),
  ]
  return {
    put: (id, bytes, options) => main.put(id, bytes, options),
    open: async (id) => {
      try {
        return await main.open(id)
      } catch (error) {
        if (!isStrongroomError(error, 'damaged')) throw error
        return await former.open(id).catch(async (missing: unknown) => {
          // It may have been moved in between.
          if (isStrongroomError(missing, 'damaged')) return await main.open(id)
          throw missing
        })
      }
    },
    remove: async (id) => {
      // In this order nothing is left of a blob that is being moved.
      await former.remove(id)
      await main.remove(id)
    },
    list: () => merged(main.list(), former.list()),
    setAside: async (id) => {
      await both((store) => store.setAside(id))
    },
    removeAside: async (olderThanMs, options) =>
      sum(await both((store) => store.removeAside(olderThanMs, options))),
    removeDebris: async (olderThanMs, options) =>
      sum(await both((store) => store.removeDebris(olderThanMs, options))),
    check: async () => {
      await both((store) => store.check())
    },
  }
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)

/** Both lists as one, in the order of ids; of a blob in both, the first list's. */
async function* merged(
  first: AsyncIterable<StoredBlob>,
  second: AsyncIterable<StoredBlob>,
): AsyncGenerator<StoredBlob, void> {
  const [ones, others] = [first[Symbol.asyncIterator](), second[Symbol.asyncIterator]()]
  try {
    let [one, other] = [await next(ones), await next(others)]
    while (one !== undefined || other !== undefined) {
      if (one !== undefined && (other === undefined || one.id <= other.id)) {
        yield one
        if (one.id === other?.id) other = await next(others)
        one = await next(ones)
      } else if (other !== undefined) {
        yield other
        other = await next(others)
      }
    }
  } finally {
    await Promise.all([ones.return?.(), others.return?.()])
  }
}

async function next(iterator: AsyncIterator<StoredBlob>): Promise<StoredBlob | undefined> {
  const step = await iterator.next()
  return step.done === true ? undefined : step.value
}
