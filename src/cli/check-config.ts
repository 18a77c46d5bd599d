import { checkDevelopmentSecrets, keysDir } from '../config/development-secrets.js'
import { showValue } from '../config/example.js'
import type { Variable } from '../config/variable.js'
import { sections, type VariableName } from '../config/variables.js'
import { ConfigError, inspectConfig } from '../config.js'
import type { ExitCode, Terminal } from './context.js'

type Inspection = ReturnType<typeof inspectConfig>

/** `strongroom config check`: says the settings, what is wrong with them, and whether the service would start. */
export async function checkConfig({ cwd, loadEnvironment, out, err }: Terminal): Promise<ExitCode> {
  const inspection = inspectConfig(loadEnvironment(), cwd)
  const problems = [...inspection.problems, ...(await lostKeys(inspection))]
  for (const line of [...describeSettings(inspection), '', ...describeEffect(inspection)]) out(line)
  for (const notice of inspection.config.notices) err(`notice: ${notice}`)
  for (const problem of problems) err(`error: ${problem}`)
  if (problems.length === 0) {
    out('\nThe service would start.')
    return 0
  }
  err(`\n${problems.length} to mend: the service would not start.`)
  return 1
}

function describeSettings({ reading }: Inspection): string[] {
  return Object.entries(sections).flatMap(([title, section]) => [
    '',
    title,
    ...Object.entries<Variable<unknown>>(section).map(
      ([name, variable]) =>
        `  ${name.padEnd(31)} ${describeValue(name as VariableName, variable, reading)}`,
    ),
  ])
}

function describeValue(
  name: VariableName,
  variable: Variable<unknown>,
  { values, given, wrong }: Inspection['reading'],
): string {
  if (wrong.has(name)) return 'wrong'
  if (variable.secret) return given.has(name) ? 'set' : 'not set'
  const shown = showValue(values[name])
  if (given.has(name)) return shown
  return shown === '' ? 'not set' : `${shown} (default)`
}

function describeEffect({ config, reading }: Inspection): string[] {
  const development = (variable: VariableName) =>
    reading.given.has(variable) ? 'from the settings' : `development, in ${keysDir(config)}`
  return [
    'In effect',
    `  data            ${config.dataDir}`,
    `  sealed files    ${config.filesDir}`,
    `  database        ${reading.given.has('DATABASE_URL') ? 'PostgreSQL' : 'embedded'}`,
    `  master keys     ${config.keys.provider === 'local' ? development('MASTER_KEYS') : config.keys.provider}`,
    `  JWT secret      ${development(reading.given.has('JWT_SECRET_KEYS') ? 'JWT_SECRET_KEYS' : 'JWT_SECRET_KEY')}`,
    `  assignments     ${config.assignments.url ?? 'own table'}`,
  ]
}

async function lostKeys({ config, reading }: Inspection): Promise<readonly string[]> {
  if (config.production || reading.given.has('MASTER_KEYS')) return []
  try {
    await checkDevelopmentSecrets(config)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
