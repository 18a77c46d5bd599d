import type { AskForDownload } from '../../../buckets/ask-for-download.js'
import type { AskForObject } from '../../../buckets/ask-for-upload.js'
import type { DeleteObject } from '../../../buckets/delete-object.js'
import type { ListBuckets } from '../../../buckets/list-buckets.js'
import type { ListObjects } from '../../../buckets/list-objects.js'
import type { App } from '../../app-type.js'
import { deleteObjectRoute } from './delete-object.js'
import { listBucketsRoute } from './list-buckets.js'
import { listObjectsRoute } from './list-objects.js'
import { presignedUrlRoute } from './presigned-url.js'

/** What the calls on buckets need. */
export interface BucketRouteServices {
  readonly buckets: {
    readonly buckets: ListBuckets
    readonly list: ListObjects
    readonly askForUpload: AskForObject
    readonly askForDownload: AskForDownload
    readonly delete: DeleteObject
  }
}

/** The buckets part of family E. */
export function registerBucketRoutes(app: App, { buckets }: BucketRouteServices): void {
  listBucketsRoute(app, buckets)
  listObjectsRoute(app, buckets)
  presignedUrlRoute(app, buckets)
  deleteObjectRoute(app, buckets)
}
