import { closeConnections, drain, remove, type Target, upload } from './client.js'
import { openingRate, sealingRate } from './in-process.js'
import { type Limits, limitsOf, nodePrimitives, opensslPrimitives } from './limits.js'
import type { Report } from './report.js'
import { startService } from './service.js'

const fileLength = 256 * 1024 * 1024
const MB = 1e6

interface Round {
  readonly node: Limits
  readonly openssl: Limits | undefined
  readonly sealing: number
  readonly opening: number
  readonly up: number
  readonly down: number
}

/**
 * Sealing and opening, in process and over HTTP, against what one core could do. All of a round is
 * measured within seconds, so that a busy neighbour slows its parts alike.
 */
export async function measureThroughput(report: Report, rounds: number): Promise<void> {
  // Each round's file is gone before the next: a virtual machine's memory costs more when the page
  // cache grows into it for the first time, and the bench would measure its host.
  const service = await startService({ settings: { DELETE_RETENTION_DAYS: '0' } })
  const target = { origin: service.origin, token: service.tokenOf('bench') }
  const measured: Round[] = []
  try {
    await round(target)
    for (let n = 0; n < rounds; n++) measured.push(await round(target))
  } finally {
    closeConnections()
    await service.stop()
  }
  tell(report, measured)
}

async function round(target: Target): Promise<Round> {
  const began = performance.now()
  const id = await upload(target, fileLength)
  const up = (fileLength * 1000) / (performance.now() - began)
  const downMs = await drain(target, id, fileLength)
  await remove(target, id)
  const openssl = opensslPrimitives()
  return {
    node: limitsOf(nodePrimitives()),
    openssl: openssl === undefined ? undefined : limitsOf(openssl),
    sealing: await sealingRate(),
    opening: await openingRate(),
    up,
    down: (fileLength * 1000) / downMs,
  }
}

function tell(report: Report, rounds: readonly Round[]): void {
  const each = (of: (round: Round) => number) => rounds.map(of)
  const least = 'at least' as const
  report.heading('Sealing and opening, against the limit of one core')
  report.figure(
    'limit of sealing, node:crypto',
    each((r) => r.node.seal / MB),
    'MB/s',
  )
  report.figure(
    'limit of opening, node:crypto',
    each((r) => r.node.open / MB),
    'MB/s',
  )
  report.figure(
    'in process, sealing',
    each((r) => r.sealing / r.node.seal),
    '× limit',
    { aim: 0.9, is: least },
  )
  report.figure(
    'in process, opening',
    each((r) => r.opening / r.node.open),
    '× limit',
    { aim: 0.8, is: least },
  )
  report.figure(
    'HTTP, upload of 256 MiB',
    each((r) => r.up / r.node.seal),
    '× limit',
    { aim: 0.5, limit: 0.42, is: least },
  )
  report.figure(
    'HTTP, download of 256 MiB',
    each((r) => r.down / r.node.open),
    '× limit',
    { aim: 0.45, limit: 0.3, is: least },
  )
  report.figure(
    'HTTP, upload of 256 MiB',
    each((r) => r.up / MB),
    'MB/s',
  )
  report.figure(
    'HTTP, download of 256 MiB',
    each((r) => r.down / MB),
    'MB/s',
  )
  if (rounds.some(({ openssl }) => openssl === undefined)) {
    report.note('The openssl program is not there: no figures against its limit')
    return
  }
  const by = (of: (round: Round) => number, limit: keyof Limits) =>
    each((r) => of(r) / (r.openssl?.[limit] ?? Number.NaN))
  report.figure(
    'limit of sealing, openssl',
    each((r) => (r.openssl?.seal ?? 0) / MB),
    'MB/s',
  )
  report.figure(
    'limit of opening, openssl',
    each((r) => (r.openssl?.open ?? 0) / MB),
    'MB/s',
  )
  report.figure(
    'in process, sealing',
    by((r) => r.sealing, 'seal'),
    '× openssl',
  )
  report.figure(
    'in process, opening',
    by((r) => r.opening, 'open'),
    '× openssl',
  )
  report.figure(
    'HTTP, upload of 256 MiB',
    by((r) => r.up, 'seal'),
    '× openssl',
  )
  report.figure(
    'HTTP, download of 256 MiB',
    by((r) => r.down, 'open'),
    '× openssl',
  )
}
