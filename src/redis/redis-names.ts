/** Names of what a deployment keeps in Redis: they give away nothing, and no other deployment has them. */
export type RedisName = (use: string, ...parts: string[]) => string

interface Hash {
  of(use: string, ...parts: string[]): Buffer
}

/** Hashes under the index key, which is the deployment's: 16 bytes of it tell deployments apart. */
export function redisNames(hash: Hash): RedisName {
  const short = (digest: Buffer) => digest.subarray(0, 16).toString('base64url')
  const prefix = `strongroom:${short(hash.of('redis-prefix'))}`
  return (use, ...parts) =>
    parts.length === 0
      ? `${prefix}:${use}`
      : `${prefix}:${use}:${short(hash.of(`redis-${use}`, ...parts))}`
}
