import multipart from '@fastify/multipart'
import type { FastifyInstance } from 'fastify'

/**
 * Teaches Fastify `multipart/form-data`; `readUpload` reads it. The library's size limit cuts files
 * silently, so there is none here: whoever takes the bytes counts them.
 */
export function registerMultipart(app: FastifyInstance): void {
  app.register(multipart, {
    throwFileSizeLimit: false,
    limits: { fileSize: Number.POSITIVE_INFINITY },
  })
}
