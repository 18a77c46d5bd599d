import type { SharedCounts } from '../ports/shared-ports.js'
import type { RedisConnection } from './redis-connection.js'
import type { RedisName } from './redis-names.js'

/** Counts and says until when, in one step: a counter that nothing ends would refuse for ever. */
const ADD = `local current = redis.call('incr', KEYS[1])
local ttl = redis.call('pttl', KEYS[1])
if ttl < 0 then
  ttl = tonumber(ARGV[1])
  redis.call('pexpire', KEYS[1], ttl)
end
return {current, ttl}`

export function redisCounts(redis: Pick<RedisConnection, 'run'>, nameOf: RedisName): SharedCounts {
  return {
    add: async (name, windowMs) => {
      const answer = await redis.run((client) =>
        client.eval(ADD, 1, nameOf('rate', name), windowMs),
      )
      const [current, ttl] = Array.isArray(answer) ? (answer as unknown[]) : []
      return typeof current === 'number' && typeof ttl === 'number' ? { current, ttl } : undefined
    },
  }
}
