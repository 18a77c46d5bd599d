import { outcomeOf } from '../errors/outcome-of.js'
import type { Watch, WorkEnd } from '../ports/watch.js'
import type { BlobStore, SealedBlob } from './blob-store.js'
import { type Clock, timed } from './timed.js'

/** What a store is asked to do, by the names its calls are counted under. */
export const storageOperations = [
  'put',
  'open',
  'read',
  'close',
  'remove',
  'list',
  'set_aside',
  'remove_aside',
  'remove_debris',
  'check',
] as const
type Operation = (typeof storageOperations)[number]

/**
 * The same store, whose every call is told of. The time of a `put` is without that of its source, the time
 * of a `read` or `list` without that of its reader.
 */
export function measuredBlobStore(store: BlobStore, watch: Watch): BlobStore {
  const begin = (operation: Operation) => watch.begin('storage', operation)
  const over = async <T>(operation: Operation, work: Promise<T>): Promise<T> => {
    const end = begin(operation)
    return await ended(work, (outcome) => {
      end(outcome)
    })
  }
  const pieces = <T>(operation: Operation, source: AsyncIterable<T>) =>
    measuredPieces(source, () => begin(operation))
  const measuredBlob = (blob: SealedBlob): SealedBlob => ({
    length: blob.length,
    read: (start, end) => pieces('read', blob.read(start, end)),
    close: () => over('close', blob.close()),
  })
  return {
    put: (id, bytes, options) => {
      const start = performance.now()
      const source: Clock = { seconds: 0 }
      const end = begin('put')
      return ended(store.put(id, timed(bytes, source), options), (outcome) => {
        end(outcome, (performance.now() - start) / 1_000 - source.seconds)
      })
    },
    open: async (id) => measuredBlob(await over('open', store.open(id))),
    remove: (id) => over('remove', store.remove(id)),
    list: () => pieces('list', store.list()),
    setAside: (id) => over('set_aside', store.setAside(id)),
    removeAside: (olderThanMs, options) =>
      over('remove_aside', store.removeAside(olderThanMs, options)),
    removeDebris: (olderThanMs, options) =>
      over('remove_debris', store.removeDebris(olderThanMs, options)),
    check: () => over('check', store.check()),
  }
}

async function ended<T>(work: Promise<T>, end: WorkEnd): Promise<T> {
  try {
    const result = await work
    end('ok')
    return result
  } catch (error) {
    end(outcomeOf(error))
    throw error
  }
}

/** Told of once all pieces are there, none is wanted any more, or the next one cannot be had. */
function measuredPieces<T>(source: AsyncIterable<T>, begin: () => WorkEnd): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const clock: Clock = { seconds: 0 }
      const pieces = timed(source, clock)[Symbol.asyncIterator]()
      let end: WorkEnd | undefined
      const over: WorkEnd = (outcome) => {
        end?.(outcome, clock.seconds)
        end = undefined
      }
      let isBegun = false
      return {
        next: async () => {
          if (!isBegun) end = begin()
          isBegun = true
          try {
            const step = await pieces.next()
            if (step.done === true) over('ok')
            return step
          } catch (error) {
            over(outcomeOf(error))
            throw error
          }
        },
        return: async () => {
          over('ok')
          return (await pieces.return?.()) ?? { done: true, value: undefined }
        },
      }
    },
  }
}
