import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Its own types ask for those of a browser, which then hold in every test.
const hcl = createRequire(import.meta.url)('@cdktf/hcl2json') as {
  parse(name: string, text: string): Promise<unknown>
}

export const root = fileURLToPath(new URL('../../../', import.meta.url))

/** A node of a parsed file: a map, a list, a value. */
export type Node = unknown

const isMap = (node: Node): node is Record<string, Node> =>
  typeof node === 'object' && node !== null && !Array.isArray(node)

/**
 * What stands at the end of a path. Blocks of HCL are lists of one: steps go through them by themselves.
 */
export function at(node: Node, ...steps: readonly string[]): Node {
  let here = node
  for (const step of steps) {
    while (Array.isArray(here) && here.length === 1) here = here[0] as Node
    here = isMap(here) ? here[step] : undefined
  }
  return here
}

export function mapAt(node: Node, ...steps: readonly string[]): Record<string, Node> {
  let found = at(node, ...steps)
  while (Array.isArray(found) && found.length === 1) found = found[0] as Node
  return isMap(found) ? found : {}
}

export function listAt(node: Node, ...steps: readonly string[]): readonly Node[] {
  const found = at(node, ...steps)
  if (found === undefined) return []
  return Array.isArray(found) ? found : [found]
}

export const textsAt = (node: Node, ...steps: readonly string[]): string[] =>
  listAt(node, ...steps).map(String)

/** All `.tf` files of a folder as one: blocks of the same kind side by side. */
export async function readTerraform(folder: string): Promise<Record<string, Node>> {
  const whole: Record<string, Record<string, Node>> = {}
  const names = (await readdir(folder)).filter((name) => name.endsWith('.tf'))
  for (const name of names) {
    const parsed = await hcl.parse(name, await readFile(join(folder, name), 'utf8'))
    for (const [kind, blocks] of Object.entries(mapAt(parsed))) {
      const known = (whole[kind] ??= {})
      for (const [label, block] of Object.entries(mapAt(blocks))) {
        known[label] = { ...mapAt(known, label), ...mapAt(block) }
      }
    }
  }
  return whole
}

/** A policy of `deploy/iam` with its placeholders filled in. */
export async function readPolicy(
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<readonly Node[]> {
  const text = await readFile(join(root, 'deploy/iam', name), 'utf8')
  const filled = text.replaceAll(/\$\{(\w+)\}/g, (_whole, key: string) => {
    const value = values[key]
    if (value === undefined) throw new Error(`${name} asks for ${key}`)
    return value
  })
  return listAt(JSON.parse(filled) as Node, 'Statement')
}
