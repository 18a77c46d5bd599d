import type { IndexHash } from '../keys/index-hash.js'

/** Keyed hashes by which objects and folders are found: those of one bucket fit no other. */
export interface ObjectHashes {
  ofKey(bucket: string, key: string): Buffer
  /** The empty folder is the bucket itself. */
  ofFolder(bucket: string, folder: string): Buffer
}

export function objectHashes(hash: Pick<IndexHash, 'of'>): ObjectHashes {
  return {
    ofKey: (bucket, key) => hash.of('bucket-object', bucket, key),
    ofFolder: (bucket, folder) => hash.of('bucket-folder', bucket, folder),
  }
}
