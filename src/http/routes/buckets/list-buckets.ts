import type { ListBuckets } from '../../../buckets/list-buckets.js'
import type { App } from '../../app-type.js'
import { bucketList } from '../../schemas/bucket-schemas.js'

/** GET s3/buckets */
export function listBucketsRoute(app: App, { buckets }: { readonly buckets: ListBuckets }): void {
  app.get(
    '/api/v1/s3/buckets',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'Buckets in which you may do something, and what somewhere in them',
        response: { 200: bucketList },
      },
    },
    async ({ actor }) =>
      (await buckets(actor)).map(({ bucket, canRead, canWrite, canDelete, canList }) => ({
        ...{ name: bucket, can_read: canRead, can_write: canWrite },
        ...{ can_delete: canDelete, can_list: canList },
      })),
  )
}
