/**
 * Holds the coverage that `tap` has just measured against the least we accept. Runs after it in
 * `npm test`; ends non-zero, naming the files to look at, where a line falls short.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Share of lines in percent that must have run: a folder counts as a whole. */
const least = { src: 85, 'src/crypto': 95, 'src/keys': 95 }

const root = fileURLToPath(new URL('../..', import.meta.url))
const report = join(root, '.tap/report/coverage-summary.json')

/** Lines of each file that a test has loaded, by its path from the root. */
const { total: _total, ...files } = JSON.parse(readFileSync(report, 'utf8'))
const measured = Object.entries(files).map(([path, { lines }]) => ({
  path: relative(root, path).split(sep).join('/'),
  lines,
}))

let short = 0
for (const [folder, percent] of Object.entries(least)) {
  const within = measured.filter(({ path }) => path.startsWith(`${folder}/`))
  const total = sum(within, ({ lines }) => lines.total)
  const share = total === 0 ? 0 : (100 * sum(within, ({ lines }) => lines.covered)) / total
  const holds = share >= percent
  console.log(`coverage ${folder}: ${share.toFixed(1)} % of lines, at least ${percent} %`)
  if (holds) continue
  short++
  if (total === 0) console.error(`  no test loads anything in ${folder}`)
  for (const { path, lines } of within.filter(({ lines }) => lines.pct < percent)) {
    console.error(
      `  below: ${path} ${lines.pct} % (${lines.total - lines.covered} lines never ran)`,
    )
  }
}

const known = new Set(measured.map(({ path }) => path))
const unseen = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((path) => `src/${path.split(sep).join('/')}`)
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts') && !known.has(path))
console.log(
  `coverage: ${unseen.length} files of types alone, or run only in the service's own process`,
)
if (process.argv.includes('--list')) for (const path of unseen) console.log(`  ${path}`)

process.exitCode = short === 0 ? 0 : 1

function sum(items, value) {
  return items.reduce((all, each) => all + value(each), 0)
}
