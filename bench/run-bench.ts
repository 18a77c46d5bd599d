import { cpus } from 'node:os'
import { measureAudit } from './audit.js'
import { measureEventLoop } from './event-loop.js'
import { measureMemory } from './memory.js'
import { measureRanges } from './ranges.js'
import { report } from './report.js'
import { measureS3 } from './s3.js'
import { measureSmallFiles } from './small-files.js'
import { measureThroughput } from './throughput.js'
import { measureWorkers } from './workers.js'

const measures = {
  throughput: measureThroughput,
  memory: measureMemory,
  small: measureSmallFiles,
  ranges: measureRanges,
  loop: measureEventLoop,
  audit: measureAudit,
}

/** Those that need a server which is not everywhere: only where they are named. */
const named = { s3: measureS3, workers: measureWorkers }

const rounds = 5

const help = `Measures the built service, which it starts itself, and prints medians of ${rounds} with their spread.

  npm run bench                     everything, some minutes
  npm run bench -- throughput loop  some of: ${Object.keys(measures).join(', ')}
  npm run bench -- s3               the road to S3 (TEST_S3_ENDPOINT, _ACCESS_KEY_ID, _SECRET_ACCESS_KEY)
  npm run bench -- workers          processor time with two workers against one, and their shares (TEST_DATABASE_URL)

Ratios hold on a busy machine, as both sides of one are measured within seconds; figures in
MB/s, MiB and ms are of this machine and this moment. Needs Linux (proc(5)) and 5 GB in TMPDIR.
Ends with 1 where a figure is past its limit, with 2 where it could not be measured.`

async function main(names: readonly string[]): Promise<void> {
  const known = Object.entries({ ...measures, ...named })
  const unknown = names.filter((name) => !known.some(([each]) => each === name))
  if (names.includes('--help') || names.includes('-h')) {
    console.log(help)
    return
  }
  if (unknown.length > 0) throw new Error(`There is no measure ${unknown.join(', ')}.\n\n${help}`)
  const out = report((line) => {
    console.log(line)
  })
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`)
  for (const [name, measure] of known) {
    const isWanted = names.length === 0 ? name in measures : names.includes(name)
    if (isWanted) await measure(out, rounds)
  }
  const failures = out.failures()
  console.log(failures.length === 0 ? '\nAll within their limits' : '\nPast their limits:')
  for (const failure of failures) console.log(`  ${failure}`)
  if (failures.length > 0) process.exitCode = 1
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
})
