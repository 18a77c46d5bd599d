import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/**
 * The caller's address as far as the proxies in front are trusted, IPv4 in its own form. What a
 * header holds in its place that is no address is not believed.
 */
export function clientAddress(request: FastifyRequest): string {
  return [request.ip, request.socket.remoteAddress ?? ''].map(plain).find(isIP) ?? '-'
}

/** Whether the connection itself comes from this machine, and nobody says that it was passed on. */
export function isLocal(request: FastifyRequest): boolean {
  const { headers, socket } = request
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return false
  const address = plain(socket.remoteAddress ?? '')
  return address === '::1' || address.startsWith('127.')
}

function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}
