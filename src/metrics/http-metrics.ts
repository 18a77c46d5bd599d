import { METHODS } from 'node:http'
import type { Socket } from 'node:net'
import type { Counter } from 'prom-client'
import { errorCodes, statusOf } from '../errors/error-codes.js'
import type { HttpMeter } from '../ports/meter.js'
import type { Instruments } from './instruments.js'

/** From a small answer to a large file over a slow line. */
const requestSeconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300]

const methods: ReadonlySet<string> = new Set(METHODS)

/** Requests, what they were refused with, and the bytes of their connections. */
export function httpMetrics({ counter, gauge, histogram }: Instruments) {
  const labels = ['method', 'route', 'status']
  const requests = counter('http_requests_total', 'Requests answered, by route pattern', labels)
  const seconds = histogram(
    'http_request_duration_seconds',
    'From the headers of a request until its answer was sent or broken off',
    { labels, buckets: requestSeconds },
  )
  const brokenOff = counter(
    'http_broken_off_total',
    'Requests whose connection went before all of the answer was sent',
    ['method', 'route'],
  )
  const inFlight = gauge('http_requests_in_flight', 'Requests under way')
  const refusals = counter('refusals_total', 'Requests answered with a problem, by its code', [
    'code',
    'status',
  ])
  for (const code of Object.keys(errorCodes) as (keyof typeof errorCodes)[]) {
    refusals.inc({ code, status: statusOf(code) }, 0)
  }
  const traffic = connectionBytes(
    counter('http_received_bytes_total', 'Bytes received over connections of callers'),
    counter('http_sent_bytes_total', 'Bytes sent over connections of callers'),
  )
  const meter: HttpMeter = {
    connected: traffic.connected,
    began: () => {
      inFlight.inc()
      return ({ method: given, route, status, ...how }) => {
        inFlight.dec()
        const method = methods.has(given) ? given : 'OTHER'
        requests.inc({ method, route, status })
        seconds.observe({ method, route, status }, how.seconds)
        if (how.isBrokenOff) brokenOff.inc({ method, route })
      }
    },
    refused: (code) => {
      refusals.inc({ code, status: statusOf(code) })
    },
  }
  return { meter, refresh: traffic.refresh }
}

/** Counts when somebody asks and when a connection closes: nothing is done for each request. */
function connectionBytes(received: Counter, sent: Counter) {
  const open = new Map<Socket, { read: number; written: number }>()
  const count = (socket: Socket, counted: { read: number; written: number }) => {
    const { bytesRead, bytesWritten } = socket
    received.inc(Math.max(bytesRead - counted.read, 0))
    sent.inc(Math.max(bytesWritten - counted.written, 0))
    counted.read = bytesRead
    counted.written = bytesWritten
  }
  return {
    connected: (socket: Socket) => {
      const counted = { read: 0, written: 0 }
      open.set(socket, counted)
      socket.once('close', () => {
        count(socket, counted)
        open.delete(socket)
      })
    },
    refresh: () => {
      for (const [socket, counted] of open) count(socket, counted)
    },
  }
}
