import { closeConnections, download, upload } from './client.js'
import type { Report } from './report.js'
import { type LoopDelay, startService } from './service.js'

const atOnce = 8
const length = 64 * 1024 * 1024

/** How long other requests wait for the event loop while eight transfers run. */
export async function measureEventLoop(report: Report, rounds: number): Promise<void> {
  const service = await startService()
  const uploads: LoopDelay[] = []
  const downloads: LoopDelay[] = []
  try {
    const target = { origin: service.origin, token: service.tokenOf('bench') }
    const all = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: atOnce }, work))
    const id = await upload(target, length)
    for (let round = 0; round < rounds; round++) {
      await service.eventLoop()
      await all(() => upload(target, length))
      uploads.push(await service.eventLoop())
      await all(() => download(target, id))
      downloads.push(await service.eventLoop())
    }
  } finally {
    closeConnections()
    await service.stop()
  }
  report.heading(`Delay of the event loop during ${atOnce} transfers of 64 MiB`)
  for (const [name, delays] of Object.entries({ uploads, downloads })) {
    const each = (of: (delay: LoopDelay) => number) => delays.map(of)
    report.figure(
      `${name}, 99th percentile of its ticks`,
      each(({ p99 }) => p99),
      'ms',
    )
    report.figure(
      `${name}, longest`,
      each(({ longest }) => longest),
      'ms',
    )
  }
}
