import { closeConnections, download, upload } from './client.js'
import type { Report } from './report.js'
import { type Service, startService } from './service.js'
import { perSecond } from './small-files.js'

const length = 1_024

/** Small reads, an event each, while the log is sealed every second, and while it is not sealed at all. */
export async function measureAudit(report: Report, rounds: number): Promise<void> {
  const services = await Promise.all(
    ['1', '3600'].map((seconds) => startService({ settings: { AUDIT_SEAL_SECONDS: seconds } })),
  )
  try {
    const [on, off] = await Promise.all(services.map(reader))
    if (on === undefined || off === undefined) throw new Error('Two services were started')
    const rates: { on: number; off: number }[] = []
    const lags: number[] = []
    for (let round = 0; round <= 2 * rounds; round++) {
      // Whoever is second gains by what the first has warmed up, or loses: each is as often the first.
      const isFirst = round % 2 === 0
      const before = isFirst ? undefined : await off.rate()
      const rate = await on.rate()
      lags.push(await on.lagMs())
      const pair = { on: rate, off: before ?? (await off.rate()) }
      if (round > 0) rates.push(pair)
    }
    report.heading('Audited reads of 1 KiB, sixteen at a time')
    report.figure(
      'sealed every second',
      rates.map((each) => each.on),
      'a second',
    )
    report.figure(
      'not sealed',
      rates.map((each) => each.off),
      'a second',
    )
    report.figure(
      'sealed against not sealed',
      rates.map((each) => each.on / each.off),
      '× rate',
      { aim: 0.95, limit: 0.85, is: 'at least' },
    )
    report.figure('age of the oldest event that is not sealed, under load', lags, 'ms')
  } finally {
    closeConnections()
    for (const service of services) await service.stop()
  }
}

async function reader(service: Service) {
  const target = { origin: service.origin, token: service.tokenOf('bench') }
  const id = await upload(target, length)
  return {
    rate: () => perSecond(() => download(target, id)),
    lagMs: async () => {
      const load = perSecond(() => download(target, id))
      const { lag_ms: lag } = await service.ask('audit-status')
      await load
      return Number(lag)
    },
  }
}
