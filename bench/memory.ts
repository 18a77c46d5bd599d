import { setTimeout as wait } from 'node:timers/promises'
import { closeConnections, download, upload } from './client.js'
import type { Report } from './report.js'
import { startService } from './service.js'

const MiB = 1024 * 1024
const sizes = [1, 100, 2048]
/** Time for what a start leaves to do in the background. */
const settleMs = 3_000
const mostGrowth = 64

/**
 * Peak memory of the service over idle for uploads and downloads of several sizes, each in a
 * service of its own: what one leaves behind must not hide what the next one takes.
 */
export async function measureMemory(report: Report, rounds: number): Promise<void> {
  report.heading('Peak memory (VmHWM of every process) over idle')
  for (const flags of [[], ['--max-old-space-size=128']]) {
    for (const size of sizes) {
      const up: number[] = []
      const down: number[] = []
      // The largest takes long, and is the same each time.
      for (let round = 0; round < (size > 1024 ? 1 : rounds); round++) {
        const grown = await growth(size * MiB, flags)
        up.push(grown.up / MiB)
        down.push(grown.down / MiB)
      }
      const name = [`${size} MiB`, ...flags].join(', ')
      const bound = { aim: mostGrowth, limit: 2 * mostGrowth, is: 'at most' as const }
      report.figure(`upload of ${name}`, up, 'MiB', bound)
      report.figure(`download of ${name}`, down, 'MiB', bound)
    }
  }
}

async function growth(length: number, flags: readonly string[]) {
  const service = await startService({ flags })
  try {
    const target = { origin: service.origin, token: service.tokenOf('bench') }
    await wait(settleMs)
    await service.resetPeak()
    const idle = await service.peakMemory()
    const id = await upload(target, length)
    const up = (await service.peakMemory()) - idle
    await service.resetPeak()
    await download(target, id)
    return { up, down: (await service.peakMemory()) - idle }
  } finally {
    closeConnections()
    await service.stop()
  }
}
