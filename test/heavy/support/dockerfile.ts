/** One instruction of a Dockerfile, with its flags (`--from=build`) and what follows them. */
export interface Instruction {
  readonly name: string
  readonly flags: Readonly<Record<string, string>>
  readonly rest: string
}

/** What begins with a FROM. */
export interface Stage {
  readonly base: string
  readonly alias: string
  readonly instructions: readonly Instruction[]
}

const known = new Set(
  ['FROM', 'ENV', 'WORKDIR', 'COPY', 'RUN', 'USER', 'VOLUME', 'EXPOSE', 'HEALTHCHECK'].concat(
    'CMD',
  ),
)

function instructionOf(line: string): Instruction {
  const [, name = '', after = ''] = /^(\w+)\s+(.*)$/s.exec(line) ?? []
  if (!known.has(name)) throw new Error(`No idea what this does: ${line}`)
  const flags: Record<string, string> = {}
  let rest = after
  for (;;) {
    const found = /^--([\w-]+)=(\S+)\s+/.exec(rest)
    if (found === null) return { name, flags, rest }
    flags[found[1] ?? ''] = found[2] ?? ''
    rest = rest.slice(found[0].length)
  }
}

/** The stages of a Dockerfile, of the instructions that ours has: others are an error. */
export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const stages: { base: string; alias: string; instructions: Instruction[] }[] = []
  for (const instruction of lines.map(instructionOf)) {
    if (instruction.name === 'FROM') {
      const [base = '', , alias = String(stages.length)] = instruction.rest.split(/\s+/)
      stages.push({ base, alias, instructions: [] })
    } else stages.at(-1)?.instructions.push(instruction)
  }
  return stages
}

/** What the last such instruction says. */
export function lastOf({ instructions }: Stage, name: string): Instruction {
  const found = instructions.findLast((each) => each.name === name)
  if (found === undefined) throw new Error(`There is no ${name}`)
  return found
}

/** All ENV of a stage. */
export function environmentOf({ instructions }: Stage): Record<string, string> {
  const pairs = instructions
    .filter(({ name }) => name === 'ENV')
    .flatMap(({ rest }) => [...rest.matchAll(/(\w+)=(\S+)/g)])
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]))
}

/** A command in its exec form. */
export const execForm = (text: string) =>
  JSON.parse(text.slice(text.indexOf('['))) as [string, ...string[]]
