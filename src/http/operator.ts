import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { isLocal } from './client-address.js'

/** Whether the caller may know of the service's inside: from this machine, or with METRICS_TOKEN. */
export function isOperator(request: FastifyRequest, token: string | undefined): boolean {
  if (isLocal(request)) return true
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined || given === undefined) return false
  return timingSafeEqual(sha256(given), sha256(token))
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
