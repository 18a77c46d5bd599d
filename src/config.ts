import { arrange } from './config/arrange.js'
import { ConfigError } from './config/config-error.js'
import { type Environment, readVariables } from './config/read-variables.js'
import { findProblems } from './config/rules.js'
import { unprintable } from './config/unprintable.js'

export { loadEnvironment } from './config/load-environment.js'
export type { Environment } from './config/read-variables.js'
export type { JwtSecret } from './config/secrets.js'
export { ConfigError }

/**
 * The service's settings, frozen. `notices` are sentences for the operator, said once at start.
 * Holds secrets: printed, logged or put into JSON by mistake it says nothing.
 */
export type Config = ReturnType<typeof inspectConfig>['config']

/**
 * Reads the settings from an environment.
 *
 * @param env variables by name; empty ones count as absent
 * @param cwd folder that relative paths start from
 * @throws ConfigError with every problem there is, each naming its variable and what is expected
 */
export function readConfig(env: Environment, cwd: string = process.cwd()): Config {
  const { config, problems } = inspectConfig(env, cwd)
  if (problems.length > 0) throw new ConfigError(problems, config.notices)
  return config
}

/** As readConfig, but never throws: settings as far as they go, and all there is to say about them. */
export function inspectConfig(env: Environment, cwd: string = process.cwd()) {
  const reading = readVariables(env)
  const settings = arrange(reading.values, {
    cwd,
    vaultTokenFile: reading.files.get('VAULT_TOKEN'),
    awsFiles: {
      accessKeyId: reading.files.get('AWS_ACCESS_KEY_ID'),
      secretAccessKey: reading.files.get('AWS_SECRET_ACCESS_KEY'),
      sessionToken: reading.files.get('AWS_SESSION_TOKEN'),
    },
  })
  const { problems, notices } = findProblems(reading, settings)
  return {
    config: unprintable({
      ...settings,
      notices: Object.freeze([...reading.notices, ...notices]),
    }),
    /** The variables' values and which of them were set, for `strongroom config check`. */
    reading,
    problems: [...reading.problems, ...problems],
  }
}
