import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigError } from './config-error.js'
import type { Environment } from './read-variables.js'

/**
 * The process's environment, with what `.env` in the folder `cwd` adds to it: a variable of the real
 * environment wins, even an empty one. For the process's entry only; tests pass their own variables.
 *
 * @throws ConfigError where `.env` is there but cannot be read
 */
export function loadEnvironment(cwd: string = process.cwd()): Environment {
  // What the AWS SDK would say of this version of Node is for whoever builds the service, not who runs it.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  return { ...readEnvFile(resolve(cwd, '.env')), ...process.env }
}

function readEnvFile(path: string): Environment {
  try {
    return parseEnv(readFileSync(path, 'utf8'))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT') return {}
    throw new ConfigError([`.env in the working directory cannot be read (${code})`])
  }
}
