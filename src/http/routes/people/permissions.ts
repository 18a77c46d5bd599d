import type { Static } from 'typebox'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import { isFileId } from '../../../files/file-id.js'
import type { PermissionBook, PermissionPage } from '../../../people/permission-book.js'
import type { App } from '../../app-type.js'
import { encodeCursor, pagingOf } from '../../schemas/paging.js'
import {
  message,
  newPermission,
  permission,
  permissionPage,
  permissionParams,
  permissionQuery,
  permissionUpdate,
} from '../../schemas/people-schemas.js'

const config = { secondFactor: 'people' } as const
const wishOf = (body: Static<typeof permissionUpdate>) => ({
  ...{ prefix: body.prefix, description: body.description },
  ...{ canRead: body.can_read, canWrite: body.can_write },
  ...{ canDelete: body.can_delete, canList: body.can_list },
})
const pageOf = ({ permissions, next }: PermissionPage) => ({
  permissions: [...permissions],
  next_cursor: encodeCursor(next),
})

function idIn({ permission_id: id }: { readonly permission_id: string }): string {
  if (!isFileId(id)) throw new StrongroomError('not_found')
  return id
}

/** GET and POST permissions, PUT and DELETE permissions/:id (administrators); GET my-permissions */
export function permissionRoutes(
  app: App,
  { permissions }: { readonly permissions: PermissionBook },
): void {
  app.get(
    '/api/v1/permissions',
    {
      schema: {
        summary: 'Who may do what in which bucket (administrators)',
        querystring: permissionQuery,
        response: { 200: permissionPage },
      },
    },
    async ({ actor, query }) =>
      pageOf(await permissions.list(actor, { ...pagingOf(query), userId: query.user_id })),
  )
  app.get(
    '/api/v1/permissions/my-permissions',
    {
      schema: {
        summary: 'What you may do in which bucket',
        querystring: permissionQuery,
        response: { 200: permissionPage },
      },
    },
    async ({ actor, query }) => pageOf(await permissions.mine(actor, pagingOf(query))),
  )
  app.post(
    '/api/v1/permissions',
    {
      config,
      schema: {
        summary: 'Give somebody rights in a bucket (administrators)',
        body: newPermission,
        response: { 201: permission },
      },
    },
    async ({ actor, body }, reply) => {
      const who = { userId: String(body.user_id), bucket: body.bucket_name }
      const made = await permissions.create(actor, { ...wishOf(body), ...who })
      return await reply.code(201).send(made)
    },
  )
  const url = '/api/v1/permissions/:permission_id'
  app.put(
    url,
    {
      config,
      schema: {
        summary: 'Change such rights (administrators)',
        params: permissionParams,
        body: permissionUpdate,
        response: { 200: permission },
      },
    },
    async ({ actor, params, body }) => await permissions.update(actor, idIn(params), wishOf(body)),
  )
  app.delete(
    url,
    {
      config,
      schema: {
        summary: 'Take them away (administrators)',
        params: permissionParams,
        response: { 200: message },
      },
    },
    async ({ actor, params }) => {
      await permissions.remove(actor, idIn(params))
      return { message: 'The permission is taken away' }
    },
  )
}
