import { closeConnections, download, upload } from './client.js'
import type { Report } from './report.js'
import { startService } from './service.js'

const atOnce = 8
const length = 64 * 1024 * 1024

/** How long other requests wait for the event loop while eight transfers run. */
export async function measureEventLoop(report: Report, rounds: number): Promise<void> {
  const service = await startService()
  const uploads: number[] = []
  const downloads: number[] = []
  try {
    const target = { origin: service.origin, token: service.tokenOf('bench') }
    const all = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: atOnce }, work))
    const id = await upload(target, length)
    for (let round = 0; round < rounds; round++) {
      await service.eventLoopP99()
      await all(() => upload(target, length))
      uploads.push(await service.eventLoopP99())
      await all(() => download(target, id))
      downloads.push(await service.eventLoopP99())
    }
  } finally {
    closeConnections()
    await service.stop()
  }
  report.heading(`Delay of the event loop, 99th percentile`)
  report.figure(`during ${atOnce} uploads of 64 MiB`, uploads, 'ms')
  report.figure(`during ${atOnce} downloads of 64 MiB`, downloads, 'ms')
}
