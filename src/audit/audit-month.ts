/** A month of the log: from `start` on, before `end`, in UTC. */
export interface AuditMonth {
  /** `2026-11` */
  readonly name: string
  readonly start: Date
  readonly end: Date
}

/** Nothing where it is no month. */
export function parseMonth(name: string): AuditMonth | undefined {
  const [, year = '', month = ''] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(name) ?? []
  if (year === '') return undefined
  const [y, m] = [Number(year), Number(month) - 1]
  return { name, start: new Date(Date.UTC(y, m)), end: new Date(Date.UTC(y, m + 1)) }
}

/** Whether all of it is older than so many years. */
export function isPastRetention({ end }: AuditMonth, years: number, now: Date): boolean {
  const keptSince = new Date(now)
  keptSince.setUTCFullYear(keptSince.getUTCFullYear() - years)
  return end <= keptSince
}
