import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { closeConnections, download, drain, remove, type Target, upload } from './client.js'
import type { Report } from './report.js'
import { startService } from './service.js'

const MiB = 1024 * 1024
const large = 256 * MiB
const small = 10 * 1024
const smallFiles = 200
const atATime = 16
const huge = 5 * 1024 * MiB
/** Over idle, for the upload of five GiB. */
const mostGrowth = 128
/** What a start leaves to do in the background. */
const settleMs = 3_000

interface Road {
  readonly up: number
  readonly down: number
  readonly smallUp: number
  readonly firstByte: number
}

/**
 * The road to S3 beside the road to the disk, both in each round, and what memory the largest file takes. Needs a
 * real server: TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY_ID, TEST_S3_SECRET_ACCESS_KEY, with 6 GiB of room.
 */
export async function measureS3(report: Report, rounds: number): Promise<void> {
  const settings = { ...s3Settings(), DELETE_RETENTION_DAYS: '0', MAX_FILE_SIZE_MB: '6000' }
  const [disk, s3] = [
    await startService({ settings: { DELETE_RETENTION_DAYS: '0' } }),
    await startService({ settings }),
  ]
  const targetOf = (service: typeof disk): Target => ({
    origin: service.origin,
    token: service.tokenOf('bench'),
  })
  const measured: { disk: Road; s3: Road }[] = []
  try {
    await roadOf(targetOf(disk))
    await roadOf(targetOf(s3))
    for (let n = 0; n < rounds; n++) {
      measured.push({ disk: await roadOf(targetOf(disk)), s3: await roadOf(targetOf(s3)) })
    }
  } finally {
    closeConnections()
    await disk.stop()
    await s3.stop()
  }
  report.heading('The road to S3, against the road to the disk')
  for (const [name, of] of [
    ['upload of 256 MiB, MB/s', (road: Road) => road.up],
    ['download of 256 MiB, MB/s', (road: Road) => road.down],
    ['uploads of 10 KiB, 16 at a time, per second', (road: Road) => road.smallUp],
    ['first byte of a range, 1/ms', (road: Road) => 1 / road.firstByte],
  ] as const) {
    report.figure(
      `${name}: S3`,
      measured.map((round) => of(round.s3)),
      '',
    )
    report.figure(
      `${name}: S3 ÷ disk`,
      measured.map((round) => of(round.s3) / of(round.disk)),
      '×',
    )
  }
  await measureHuge(report, settings)
}

async function measureHuge(report: Report, settings: Record<string, string>): Promise<void> {
  const service = await startService({ settings })
  try {
    const target = { origin: service.origin, token: service.tokenOf('bench') }
    await wait(settleMs)
    await service.resetPeak()
    const idle = await service.peakMemory()
    const id = await upload(target, huge)
    const up = (await service.peakMemory()) - idle
    await service.resetPeak()
    await download(target, id)
    const down = (await service.peakMemory()) - idle
    report.heading('Peak memory over idle, 5 GiB to and from S3')
    const bound = { aim: mostGrowth, limit: mostGrowth, is: 'at most' as const }
    report.figure('upload of 5 GiB', [up / MiB], 'MiB', bound)
    report.figure('download of 5 GiB', [down / MiB], 'MiB', bound)
    await remove(target, id)
  } finally {
    closeConnections()
    await service.stop()
  }
}

async function roadOf(target: Target): Promise<Road> {
  const began = performance.now()
  const id = await upload(target, large)
  const up = (large * 1e-3) / (performance.now() - began)
  const down = (large * 1e-3) / (await drain(target, id, large))
  const { firstByteMs } = await download(target, id, { start: 100 * MiB, length: 65_536 })
  await remove(target, id)
  const smallBegan = performance.now()
  const ids: string[] = []
  const worker = async () => {
    while (ids.length < smallFiles) {
      const place = ids.push('') - 1
      ids[place] = await upload(target, small)
    }
  }
  await Promise.all(Array.from({ length: atATime }, worker))
  const smallUp = (smallFiles * 1000) / (performance.now() - smallBegan)
  for (const each of ids) await remove(target, each)
  return { up, down, smallUp, firstByte: firstByteMs }
}

/** A bucket of its own at the server that the environment names. */
function s3Settings(): Record<string, string> {
  const read = (name: string) => {
    const value = process.env[name]
    if (value === undefined) throw new Error(`${name}: expected, for the measure s3`)
    return value
  }
  return {
    ...{ STORAGE_DRIVER: 's3', S3_BUCKET: `bench-${randomUUID()}`, S3_CREATE_BUCKET: 'true' },
    ...{ S3_ENDPOINT: read('TEST_S3_ENDPOINT'), S3_FORCE_PATH_STYLE: 'true' },
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: read('TEST_S3_ACCESS_KEY_ID'),
    AWS_SECRET_ACCESS_KEY: read('TEST_S3_SECRET_ACCESS_KEY'),
  }
}
