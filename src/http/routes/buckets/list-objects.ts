import type { ListObjects } from '../../../buckets/list-objects.js'
import type { App } from '../../app-type.js'
import { bucketParams, objectList, objectQuery } from '../../schemas/bucket-schemas.js'
import { pageEnd, pagingOf } from '../../schemas/paging.js'

/** GET s3/list/:bucket */
export function listObjectsRoute(app: App, { list }: { readonly list: ListObjects }): void {
  app.get(
    '/api/v1/s3/list/:bucket',
    {
      config: { forPerson: 'view' },
      schema: {
        summary: 'What is in a folder of a bucket, oldest first',
        description:
          'Objects and folders are counted together against `limit`. Where your permissions cover some of it only, that and the way there are listed.',
        params: bucketParams,
        querystring: objectQuery,
        response: { 200: objectList },
      },
    },
    async ({ actor, params, query }) => {
      const { prefix = '', ...paging } = query
      const page = await list(actor, { bucket: params.bucket, prefix, ...pagingOf(paging) })
      return {
        objects: page.objects.map(({ key, size, lastModified, contentType }) => ({
          ...{ key, size, last_modified: lastModified.toISOString(), content_type: contentType },
        })),
        common_prefixes: page.commonPrefixes,
        ...pageEnd(page),
      }
    },
  )
}
