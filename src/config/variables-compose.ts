import { text } from './kinds.js'
import { secret } from './variable.js'

/** Read by docker-compose.yml alone, for the servers it starts; the service has no use for them. */
export const composeSecrets = {
  POSTGRES_PASSWORD: secret('Of its database', text()),
  REDIS_PASSWORD: secret('Of its Redis', text()),
  GARAGE_ACCESS_KEY: secret('Access key of its S3 server: GK and 24 hexadecimal digits', text()),
  GARAGE_SECRET_KEY: secret('Its secret: 64 hexadecimal digits', text()),
  GARAGE_RPC_SECRET: secret('What that server’s own commands show: 64 such digits', text()),
}
