import type { BlobStore } from './blobs/blob-store.js'
import { fallbackBlobStore } from './blobs/fallback-blob-store.js'
import { localDiskBlobStore } from './blobs/local-disk-blob-store.js'
import type { OnRetried } from './blobs/s3/s3-calls.js'
import type { Config } from './config.js'

export type StorageDriver = Config['storageDriver']

/** A store, and how its connections are ended. */
export interface OpenedStore {
  readonly store: BlobStore
  readonly close: () => void
}

export interface BlobPlaces {
  /** What the service keeps sealed bytes in. */
  readonly blobs: BlobStore
  /** One of them by itself; opened when it is first asked for. */
  readonly openStore: (driver: StorageDriver) => Promise<BlobStore>
  readonly close: () => void
}

interface BlobOptions {
  readonly background: boolean
  /** Told of calls to S3 that are tried again. */
  readonly onRetried: OnRetried
}

type BlobConfig = Pick<Config, 'filesDir' | 's3' | 'storageDriver' | 'storageFallback'>

/** The stores of sealed bytes that the settings name. A command tries no bucket: the service did. */
export async function wireBlobs(config: BlobConfig, options: BlobOptions): Promise<BlobPlaces> {
  const opened = new Map<StorageDriver, Promise<OpenedStore>>()
  const closing: (() => void)[] = []
  const openStore = async (driver: StorageDriver) => {
    const opening = opened.get(driver) ?? openOne(config, driver, options)
    opened.set(driver, opening)
    const { store, close } = await opening
    closing.push(close)
    return store
  }
  const main = await openStore(config.storageDriver)
  const { storageFallback: former } = config
  return {
    blobs: former === undefined ? main : fallbackBlobStore(main, await openStore(former)),
    openStore,
    close: () => {
      for (const close of closing) close()
    },
  }
}

async function openOne(
  { filesDir, s3 }: Pick<Config, 'filesDir' | 's3'>,
  driver: StorageDriver,
  { background, onRetried }: BlobOptions,
): Promise<OpenedStore> {
  if (driver === 'disk') {
    return { store: await localDiskBlobStore({ folder: filesDir }), close: () => undefined }
  }
  const { bucket } = s3
  if (bucket === undefined) throw new Error('S3_BUCKET is absent')
  // The SDK takes a quarter of a second to load, which nobody waits for who keeps files on a disk.
  const { s3BlobStore } = await import('./blobs/s3/s3-blob-store.js')
  const store = await s3BlobStore({
    settings: { ...s3, bucket },
    createBucket: background && s3.createBucket,
    verify: background && s3.verifyOnInit,
    onRetried,
  })
  return { store, close: store.close }
}
