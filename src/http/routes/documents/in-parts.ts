import { Type } from 'typebox'
import type { AbortParts } from '../../../documents/abort-parts.js'
import type { CompleteParts } from '../../../documents/complete-parts.js'
import { MAX_PART_BYTES, MAX_PARTS, MIN_PART_BYTES } from '../../../documents/part-rules.js'
import type { PartsUpload, PartsUploads } from '../../../documents/parts-upload.js'
import type { App } from '../../app-type.js'
import { mediaTypeOf } from '../../media-type.js'
import {
  completeBody,
  documentEntry,
  partPlaces,
  partPlacesBody,
  partsParams,
  partsUpload,
  presignBody,
} from '../../schemas/document-schemas.js'
import { askedWith, ticketUrl } from '../tickets/asked-with.js'

type Use = PartsUploads & { readonly complete: CompleteParts; readonly abort: AbortParts }

const config = { forPerson: 'upload' } as const
const path = '/api/docs/multipart'
const one = `${path}/:upload_id` as const

/** /api/docs/multipart: documents that come in parts. */
export function registerPartsRoutes(app: App, use: Use): void {
  beginRoute(app, use)
  placesRoute(app, use)
  receivedRoute(app, use)
  completeRoute(app, use)
  abortRoute(app, use)
}

const shown = ({ id, key, parts, expiresAt }: PartsUpload) => ({
  ...{ upload_id: id, id, key },
  parts: parts.map(({ partNumber, size }) => ({ partNumber, size })),
  ...{ minPartSize: MIN_PART_BYTES, maxPartSize: MAX_PART_BYTES, maxParts: MAX_PARTS },
  expires_at: expiresAt.toISOString(),
})

function beginRoute(app: App, { begin }: Use): void {
  app.post(
    path,
    {
      config,
      schema: {
        summary: 'Begin a document that comes in parts',
        description: 'What is said and allowed is that of `POST /api/docs/presign-upload`.',
        body: presignBody,
        response: { 201: partsUpload },
      },
    },
    async ({ actor, body }, reply) => {
      const { medicalRecordTypeId, contentType, ...ask } = body
      const wish = {
        ...ask,
        recordTypeId: medicalRecordTypeId,
        contentType: mediaTypeOf(contentType),
      }
      return await reply.code(201).send(shown(await begin(actor, wish)))
    },
  )
}

function placesRoute(app: App, { places }: Use): void {
  app.post(
    `${one}/parts`,
    {
      config,
      schema: {
        summary: 'URLs that take parts, one each',
        description:
          'In any order and at the same time. A part that is sent again takes the place of the one before.',
        params: partsParams,
        body: partPlacesBody,
        response: { 200: partPlaces },
      },
    },
    async (request, reply) => {
      const { actor, params, body } = request
      const drawn = await places(actor, params.upload_id, body.partNumbers, askedWith(request))
      reply.header('cache-control', 'no-store')
      return {
        parts: drawn.map(({ partNumber, ticket }) => ({
          ...{ partNumber, url: ticketUrl(request, ticket), headers: {} },
          expires_at: ticket.opensUntil.toISOString(),
        })),
      }
    },
  )
}

function receivedRoute(app: App, { received }: Use): void {
  app.get(
    one,
    {
      config,
      schema: {
        summary: 'Which parts have come',
        params: partsParams,
        response: { 200: partsUpload },
      },
    },
    async ({ actor, params }) => shown(await received(actor, params.upload_id)),
  )
}

function completeRoute(app: App, { complete }: Use): void {
  app.post(
    `${one}/complete`,
    {
      config,
      schema: {
        summary: 'Make the document of its parts',
        description:
          'In the order of their numbers, from 1 without a gap. 409: one has not come; 422: not what was asked for or is said now. The same once more is answered the same.',
        params: partsParams,
        body: Type.Union([completeBody, Type.Null()]),
        response: { 201: documentEntry },
      },
    },
    async ({ actor, params, body }, reply) => {
      const { parts, ...said } = body ?? {}
      const numbers = parts?.map(({ partNumber }) => partNumber)
      const made = await complete(actor, params.upload_id, { ...said, numbers })
      return await reply.code(201).send(made)
    },
  )
}

function abortRoute(app: App, { abort }: Use): void {
  app.delete(
    one,
    {
      config,
      schema: {
        summary: 'Give the upload up: what came of it is destroyed',
        params: partsParams,
        response: { 204: Type.Null() },
      },
    },
    async ({ actor, params }, reply) => {
      await abort(actor, params.upload_id)
      return await reply.code(204).send(null)
    },
  )
}
