import { AsyncResource } from 'node:async_hooks'
import { isStrongroomError } from '../errors/strongroom-error.js'
import type { WorkLog } from '../ports/work-log.js'
import type { BlobStore, SealedBlob } from './blob-store.js'

/** The same store, with a line in the log for each time the storage could not do its work. */
export function loggedBlobStore(store: BlobStore, log: Pick<WorkLog, 'error'>): BlobStore {
  const tell = (operation: string, id: string | undefined, error: unknown) => {
    if (!isStrongroomError(error, 'storage_unavailable')) return
    log.error({ operation, sealed_id: id, errno: error.context['errno'] }, 'storage error')
  }
  const told = async <T>(
    operation: string,
    id: string | undefined,
    work: Promise<T>,
    teller = tell,
  ) => {
    try {
      return await work
    } catch (error) {
      teller(operation, id, error)
      throw error
    }
  }
  async function* toldEach<T>(
    operation: string,
    id: string | undefined,
    source: AsyncIterable<T>,
    teller = tell,
  ) {
    try {
      yield* source
    } catch (error) {
      teller(operation, id, error)
      throw error
    }
  }
  // Whoever opened a blob is on the line, also where its bytes are read on another's turn.
  const toldBlob = (id: string, blob: SealedBlob): SealedBlob => {
    const tellOpener = AsyncResource.bind(tell)
    return {
      length: blob.length,
      read: (start, end) => toldEach('read', id, blob.read(start, end), tellOpener),
      close: () => told('close', id, blob.close(), tellOpener),
    }
  }
  return {
    put: (id, bytes, options) => told('put', id, store.put(id, bytes, options)),
    open: async (id) => toldBlob(id, await told('open', id, store.open(id))),
    remove: (id) => told('remove', id, store.remove(id)),
    list: () => toldEach('list', undefined, store.list()),
    setAside: (id) => told('set aside', id, store.setAside(id)),
    removeAside: (olderThanMs, options) =>
      told('remove aside', undefined, store.removeAside(olderThanMs, options)),
    removeDebris: (olderThanMs, options) =>
      told('remove debris', undefined, store.removeDebris(olderThanMs, options)),
    check: () => told('check', undefined, store.check()),
  }
}
