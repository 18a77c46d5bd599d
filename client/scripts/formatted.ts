import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** TypeScript as the formatter of this repository writes it. Throws what the formatter says against it. */
export async function formatted(source: string): Promise<string> {
  const biome = 'node_modules/@biomejs/biome/bin/biome'
  const args = [biome, 'format', '--stdin-file-path=client/src/openapi.ts']
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'pipe' })
  child.stdin.end(source)
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  if (out === '') throw new Error(err)
  return out
}
