import type { Variable } from './variable.js'
import { sections, type VariableName } from './variables.js'

const introduction = `Every variable there is, with its default. Copy to .env and change what differs, or let
'npx strongroom init' write a .env with fresh secrets; 'npx strongroom config check' says what is
wrong without starting. An empty variable counts as absent. Secrets, marked *, may also come as
NAME_FILE: the path of a file that holds them. A real environment variable wins over this file.`

/** The text of `.env.example`, from the schema. */
export function renderExample(): string {
  const parts = Object.entries(sections).map(
    ([title, section]) =>
      `## ${title}\n\n${Object.entries<Variable<unknown>>(section)
        .map(([name, variable]) => renderVariable(name as VariableName, variable))
        .join('\n')}`,
  )
  return `${introduction.replaceAll(/^/gm, '# ')}\n\n${parts.join('\n')}`
}

function renderVariable(name: VariableName, variable: Variable<unknown>): string {
  const older = variable.older.length === 0 ? '' : ` (older: ${variable.older.join(', ')})`
  const mark = variable.secret ? '* ' : ''
  return `# ${mark}${variable.help}${older}\n# ${name}=${quote(variable.example ?? showValue(variable.fallback))}\n`
}

/** A value as it stands in a `.env` file: in quotes where it needs them, of a kind it does not hold. */
export function quote(value: string): string {
  if (/^[^\s"'`#]*$/.test(value)) return value
  const mark = ["'", '"', '`'].find((each) => !value.includes(each)) ?? '`'
  return `${mark}${value}${mark}`
}

/** A value as text; absent ones are empty. */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (value instanceof Map) return JSON.stringify(Object.fromEntries(value))
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
