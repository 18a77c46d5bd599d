import { randomBytes } from 'node:crypto'
import { link, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeConnections, download, type Target, upload } from './client.js'
import type { Report } from './report.js'
import { startService } from './service.js'

const length = 10 * 1024
const atOnce = 16
const roundMs = 2_000

/** Uploads and downloads of 10 KiB a second, sixteen at a time, beside what the disk alone allows. */
export async function measureSmallFiles(report: Report, rounds: number): Promise<void> {
  const service = await startService()
  const target = { origin: service.origin, token: service.tokenOf('bench') }
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-bench-'))
  const figures: { up: number; down: number; disk: number }[] = []
  try {
    const id = await upload(target, length)
    await perSecond(() => download(target, id))
    for (let round = 0; round < rounds; round++) figures.push(await measure(target, id, folder))
  } finally {
    closeConnections()
    await service.stop()
    await rm(folder, { recursive: true })
  }
  report.heading(`Files of 10 KiB, ${atOnce} at a time`)
  report.figure(
    'uploads',
    figures.map(({ up }) => up),
    'a second',
  )
  report.figure(
    'downloads',
    figures.map(({ down }) => down),
    'a second',
  )
  report.figure(
    'files made durable by the disk alone',
    figures.map(({ disk }) => disk),
    'a second',
  )
  report.figure(
    'uploads',
    figures.map(({ up, disk }) => up / disk),
    '× disk',
  )
}

async function measure(target: Target, id: string, folder: string) {
  return {
    up: await perSecond(() => upload(target, length)),
    down: await perSecond(() => download(target, id)),
    disk: await perSecond(() => makeDurable(folder)),
  }
}

/** Rounds of `work`, sixteen at a time. */
export async function perSecond(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let done = 0
  const worker = async () => {
    while (performance.now() - start < roundMs) {
      await work()
      done++
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return (done * 1000) / (performance.now() - start)
}

const content = randomBytes(length)
let made = 0

/** The least a store does for a file that must outlive a power cut: two syncs and a name. */
async function makeDurable(folder: string): Promise<void> {
  const name = join(folder, String(made++))
  const handle = await open(`${name}.part`, 'wx', 0o600)
  await handle.write(content)
  await handle.sync()
  await handle.close()
  await link(`${name}.part`, name)
  const parent = await open(folder)
  await parent.sync()
  await parent.close()
  await rm(`${name}.part`)
}
