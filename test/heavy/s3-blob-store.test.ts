import { basename } from 'node:path'
import t, { type Test } from 'tap'
import { s3BlobStore } from '../../src/blobs/s3/s3-blob-store.js'
import { blobStoreContract } from '../helpers/blob-store-contract.js'
import { bucketOf, bucketSettings } from '../helpers/s3-bucket.js'

async function freshStore(t: Test) {
  const settings = bucketSettings()
  const bucket = bucketOf(settings)
  const store = await s3BlobStore({ settings, createBucket: true })
  t.teardown(() => {
    store.close()
    bucket.close()
  })
  const kept = async () => {
    const names = (await bucket.keys()).map((key) => basename(key))
    // What was brought back lies aside as well, until its time has come.
    return [...new Set(names), ...(await bucket.uploads())]
  }
  return { store, kept }
}

void t.test('the contract of every blob store', (t) => {
  blobStoreContract(t, freshStore)
  t.end()
})
