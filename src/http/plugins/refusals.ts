import type { Actor, AuditFacts } from '../../audit/audit-events.js'
import type { AuditLog } from '../../audit/audit-log.js'
import type { App } from '../app-type.js'

export interface RefusalsOptions {
  readonly audit: AuditLog
  /** Told of a summary that could not be written; it is tried again a period later. */
  readonly onProblem: (error: unknown) => void
  /** Events of their own for each address and period. */
  readonly perAddress?: number
  /** Addresses told apart within a period; all further ones count as one. */
  readonly maxAddresses?: number
  readonly periodMs?: number
}

/** Puts requests without valid credentials on record, so that a flood of them cannot flood the record. */
export interface Refusals {
  /**
   * `facts`: what was refused, where it is more than a call.
   * @throws StrongroomError `audit_unavailable`
   */
  note(caller: Actor, reason: string, facts?: RefusedFacts): Promise<void>
  /** Writes the summaries that are due and stops. */
  close(): Promise<void>
}

export type RefusedFacts = Partial<Pick<AuditFacts, 'action' | 'subjectId' | 'fileId'>>

/** For as long as the service runs; all that is refused of one address counts together. */
export function registerRefusals(app: App, audit: AuditLog): Refusals {
  const record = refusals({
    audit,
    onProblem: (error) => {
      app.log.error({ err: error }, 'summary of refused requests not written')
    },
  })
  app.addHook('onClose', () => record.close())
  return record
}

interface Count {
  noted: number
  more: number
}

const elsewhere = 'other'

export function refusals(options: RefusalsOptions): Refusals {
  const { audit, onProblem, perAddress = 10, maxAddresses = 5_000, periodMs = 60_000 } = options
  let counts = new Map<string, Count>()
  const timer = setInterval(() => void flush(), periodMs).unref()

  function countOf(ip: string): Count {
    const address = counts.has(ip) || counts.size < maxAddresses ? ip : elsewhere
    const count = counts.get(address) ?? { noted: 0, more: 0 }
    counts.set(address, count)
    return count
  }

  async function flush(): Promise<void> {
    const due = [...counts].filter(([, { more }]) => more > 0)
    counts = new Map()
    for (const [ip, { more }] of due) {
      try {
        await audit.note(
          { userId: '-', roles: [], ip, userAgent: '', requestId: '-' },
          { action: 'auth.refused_summary', outcome: 'denied', bytes: more },
        )
      } catch (error) {
        countOf(ip).more += more
        onProblem(error)
      }
    }
  }

  return {
    async note(caller, reason, facts = {}) {
      const count = countOf(caller.ip)
      if (count.noted >= perAddress) {
        count.more += 1
        return
      }
      count.noted += 1
      await audit.note(caller, { action: 'auth.refused', ...facts, outcome: 'denied', reason })
    },
    async close() {
      clearInterval(timer)
      await flush()
    },
  }
}
