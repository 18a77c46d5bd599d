import { closeConnections, download, headOnly, type Target, upload } from './client.js'
import type { Report } from './report.js'
import { type Service, startService } from './service.js'
import { sampleOf } from './statistics.js'

const KiB = 1024
const MiB = 1024 * KiB
const range = 64 * KiB
/** A sealed segment of 256 KiB of data (docs/FORMAT.md). */
const segment = 256 * KiB + 105
const repeats = 40

/** First bytes and small ranges: what a viewer asks for must not depend on the size of the file. */
export async function measureRanges(report: Report, rounds: number): Promise<void> {
  const service = await startService()
  try {
    const target = { origin: service.origin, token: service.tokenOf('bench') }
    const small = { id: await upload(target, MiB), size: MiB }
    const large = { id: await upload(target, 1024 * MiB), size: 1024 * MiB }
    report.heading('First bytes and ranges')
    await tellFirstBytes(report, rounds, target, { small: small.id, large: large.id })
    const ratios: number[] = []
    const stored: number[] = []
    for (let round = 0; round <= rounds; round++) {
      const ofSmall = await ranges(service, target, small)
      const ofLarge = await ranges(service, target, large)
      // The first round warms up.
      if (round === 0) continue
      ratios.push(ofLarge.ms / ofSmall.ms)
      stored.push((ofLarge.bytesRead - range) / segment)
    }
    const most = 'at most' as const
    report.figure('64 KiB of 1 GiB against 64 KiB of 1 MiB', ratios, '× time', {
      aim: 1.5,
      limit: 2,
      is: most,
    })
    report.figure('read from the store beyond the range itself', stored, 'segments', {
      aim: 2,
      limit: 2,
      is: most,
    })
  } finally {
    closeConnections()
    await service.stop()
  }
}

async function tellFirstBytes(
  report: Report,
  rounds: number,
  target: Target,
  { small, large }: { small: string; large: string },
): Promise<void> {
  for (const [name, id] of Object.entries({ '1 MiB': small, '1 GiB': large })) {
    const times: number[] = []
    for (let round = 0; round < rounds; round++)
      times.push((await download(target, id)).firstByteMs)
    report.figure(`first byte of a download of ${name}`, times, 'ms')
  }
}

/** Median time of a range, and bytes read for one of them, less what the request itself reads. */
async function ranges(service: Service, target: Target, file: { id: string; size: number }) {
  const times: number[] = []
  const beforeRanges = await service.bytesRead()
  for (let n = 0; n < repeats; n++) {
    const start = Math.floor(((n + 0.5) / repeats) * (file.size - range))
    times.push((await download(target, file.id, { start, length: range })).allMs)
  }
  const beforeHeads = await service.bytesRead()
  for (let n = 0; n < repeats; n++) await headOnly(target, file.id)
  const atEnd = await service.bytesRead()
  const bytesRead = (beforeHeads - beforeRanges - (atEnd - beforeHeads)) / repeats
  return { ms: sampleOf(times).median, bytesRead }
}
