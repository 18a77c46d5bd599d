import { randomUUID } from 'node:crypto'
import type { Signal, Signals } from '../ports/shared-ports.js'
import type { RedisConnection } from './redis-connection.js'
import type { RedisName } from './redis-names.js'

/** Milliseconds in which the calls of a node become one. */
const GATHER_MS = 20

/** Calls carry the id of the node's process alone, which does not listen to itself. */
export function redisSignals(
  redis: Pick<RedisConnection, 'run' | 'subscribe'>,
  nameOf: RedisName,
): Signals {
  const self = randomUUID()
  const gathered = new Set<Signal>()
  const channelOf = (signal: Signal) => nameOf(`signal-${signal}`)
  return {
    send: (signal) => {
      if (gathered.has(signal)) return
      gathered.add(signal)
      const timer = setTimeout(() => {
        gathered.delete(signal)
        void redis.run((client) => client.publish(channelOf(signal), self))
      }, GATHER_MS)
      timer.unref()
    },
    on: (signal, listener) => {
      redis.subscribe(channelOf(signal), (from) => {
        if (from !== self) listener()
      })
    },
  }
}
