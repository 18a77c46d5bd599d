import { readFileSync } from 'node:fs'
import { WrongValue } from './kinds.js'
import { similarName } from './similar-name.js'
import { inertNames, refusedNames } from './unavailable.js'
import type { Variable } from './variable.js'
import { ignoredNames, type Values, type VariableName, variables } from './variables.js'

export type Environment = Readonly<Record<string, string | undefined>>

/** Everything found in an environment: values, where wrong their defaults, and what is to be said. */
export interface Reading {
  readonly values: Values
  /** Variables that were set, by whatever name, right or wrong. */
  readonly given: ReadonlySet<VariableName>
  /** Variables whose text broke their rule: their value is the default. */
  readonly wrong: ReadonlySet<VariableName>
  /** The files that secrets came from. */
  readonly files: ReadonlyMap<VariableName, string>
  readonly problems: string[]
  readonly notices: string[]
}

interface Found {
  readonly name: string
  readonly text: string
  readonly path: string | undefined
}

const isSet = (value: string | undefined): value is string =>
  value !== undefined && value.trim() !== ''

// A secret file is a line; one longer than this is another file.
const MAX_SECRET_FILE_BYTES = 65_536

function readSecretFile(name: string, path: string, problems: string[]): string | undefined {
  try {
    const content = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (content.trim() === '') problems.push(`${name}: the file it names is empty`)
    else if (content.length > MAX_SECRET_FILE_BYTES) problems.push(`${name}: the file is too long`)
    else return content
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    problems.push(`${name}: the file it names cannot be read (${code})`)
  }
  return undefined
}

/** The text of one name, straight or from its file. */
function findText(name: string, secret: boolean, env: Environment, problems: string[]) {
  const straight = env[name]
  const path = secret ? env[`${name}_FILE`] : undefined
  if (isSet(straight) && isSet(path)) {
    problems.push(`${name} and ${name}_FILE are both set: expected one of them`)
  }
  if (isSet(straight)) return { text: secret ? straight : straight.trim(), path: undefined }
  if (!isSet(path)) return undefined
  const text = readSecretFile(`${name}_FILE`, path.trim(), problems)
  return text === undefined ? undefined : { text, path: path.trim() }
}

/** The text of a variable by its own or an older name. */
function findVariable(
  name: VariableName,
  { older, secret }: Variable<unknown>,
  env: Environment,
  { problems, notices }: Pick<Reading, 'problems' | 'notices'>,
): Found | undefined {
  const found: Found[] = []
  for (const each of [name, ...older]) {
    const place = findText(each, secret, env, problems)
    if (place === undefined) continue
    found.push({ name: each, ...place })
    if (each !== name) notices.push(`${each} is an older name: call it ${name}`)
  }
  const [first, ...others] = found
  for (const other of others) {
    if (other.text !== first?.text) {
      problems.push(`${first?.name ?? name} and ${other.name} differ: expected only ${name}`)
    }
  }
  return first
}

function parse({ text }: Found, { kind }: Variable<unknown>): unknown {
  try {
    return Object.freeze(kind(text))
  } catch (error) {
    if (error instanceof WrongValue) return error
    throw error
  }
}

function describeWrong(
  { name, text }: Found,
  { printable }: Variable<unknown>,
  { message }: WrongValue,
): string {
  const got = printable ? `, got ${JSON.stringify(text.slice(0, 40))}` : ''
  return `${name}: expected ${message}${got}`
}

/** Reads every variable of the schema. Reports all problems, throws none. */
export function readVariables(env: Environment): Reading {
  const values: Partial<Record<VariableName, unknown>> = {}
  const given = new Set<VariableName>()
  const wrong = new Set<VariableName>()
  const files = new Map<VariableName, string>()
  const problems: string[] = []
  const notices: string[] = []
  for (const [name, variable] of variables) {
    const found = findVariable(name, variable, env, { problems, notices })
    if (found === undefined) {
      values[name] = variable.fallback
      if (!variable.secret || !isSet(env[`${name}_FILE`])) continue
      given.add(name)
      wrong.add(name)
      continue
    }
    given.add(name)
    if (found.path !== undefined) files.set(name, found.path)
    const value = parse(found, variable)
    if (value instanceof WrongValue) {
      values[name] = variable.fallback
      wrong.add(name)
      problems.push(describeWrong(found, variable, value))
    } else {
      values[name] = value
      if (value !== variable.fallback) sayUnavailable(name, found, problems, notices)
    }
  }
  notices.push(...ignoredNotices(env), ...typoNotices(env))
  return { values: values as Values, given, wrong, files, problems, notices }
}

function sayUnavailable(
  name: VariableName,
  found: Found,
  problems: string[],
  notices: string[],
): void {
  const alias = found.name === name ? '' : ` (${name})`
  if (refusedNames.has(name)) problems.push(`${found.name}${alias}: not available in this version`)
  if (inertNames.has(name)) notices.push(`${found.name}${alias} has no effect in this version`)
}

function ignoredNotices(env: Environment): string[] {
  return [...ignoredNames]
    .filter(([name]) => isSet(env[name]))
    .map(([name, why]) => `${name} is not used here: ${why}`)
}

const acceptedNames: ReadonlySet<string> = new Set(
  [...variables].flatMap(([name, { older, secret }]) =>
    [name, ...older].flatMap((each) => (secret ? [each, `${each}_FILE`] : [each])),
  ),
)

function typoNotices(env: Environment): string[] {
  return Object.keys(env)
    .filter((name) => !acceptedNames.has(name) && !ignoredNames.has(name) && isSet(env[name]))
    .flatMap((name) => {
      const meant = similarName(name, acceptedNames)
      return meant === undefined ? [] : [`${name} is not known: is ${meant} meant?`]
    })
}
