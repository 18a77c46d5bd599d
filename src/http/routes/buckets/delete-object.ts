import type { FastifyRequest } from 'fastify'
import type { DeleteObject } from '../../../buckets/delete-object.js'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import type { App } from '../../app-type.js'
import { bucketParams, objectDeleted, objectKeyInPath } from '../../schemas/bucket-schemas.js'

/** DELETE s3/object/:bucket/<key> */
export function deleteObjectRoute(app: App, use: { readonly delete: DeleteObject }): void {
  app.delete(
    '/api/v1/s3/object/:bucket/*',
    {
      config: { forPerson: 'delete', restOfPath: objectKeyInPath },
      schema: {
        summary: 'Delete one object of a bucket',
        description: 'Gone at once; its bytes and keys are destroyed after DELETE_RETENTION_DAYS.',
        params: bucketParams,
        response: { 200: objectDeleted },
      },
    },
    async (request) => {
      const { bucket } = request.params
      const key = keyIn(request)
      const { deletedAt, purgeAfter } = await use.delete(request.actor, { bucket, key })
      return {
        message: 'The object is deleted',
        deleted_at: deletedAt.toISOString(),
        purge_after: purgeAfter.toISOString(),
      }
    },
  )
}

/** Elsewhere a last `/` makes no difference; here it asks for a folder, and the object beside it is not meant. */
function keyIn({ url, params }: FastifyRequest): string {
  const { '*': key } = params as { readonly '*'?: unknown }
  if (typeof key === 'string' && !/(?:\/|%2f)(?:\?|$)/i.test(url)) return key
  throw new StrongroomError('invalid_field', { detail: 'object_key: the key of one object' })
}
