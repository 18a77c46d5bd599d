import type { JobRow, JobStore } from './ports.js'

interface KeptLease {
  /** Aborts well before another node may begin, where the lease cannot be renewed. */
  readonly lost: AbortSignal
  /** Renews no more; resolves when nothing of it is under way. */
  end(): Promise<void>
}

interface Options {
  readonly store: Pick<JobStore, 'renew'>
  readonly job: JobRow
  readonly leaseMs: number
  readonly onProblem: (error: unknown, job: JobRow) => void
}

/** Share of a lease after which a holder that could not renew it stops. */
const safeShare = 0.8

/** Renews the lease of a job that was just claimed four times in its length, for as long as it takes. */
export function keepLease({ store, job, leaseMs, onProblem }: Options): KeptLease {
  const lost = new AbortController()
  const lose = () => {
    lost.abort(new DOMException('The lease of the job is over', 'TimeoutError'))
  }
  let last = setTimeout(lose, leaseMs * safeShare)
  let renewal: Promise<void> = Promise.resolve()

  const renew = async () => {
    const [at, begun] = [Date.now(), performance.now()]
    try {
      if (!(await store.renew(job, new Date(at + leaseMs)))) {
        lose()
        return
      }
      clearTimeout(last)
      if (!lost.signal.aborted)
        last = setTimeout(lose, leaseMs * safeShare - (performance.now() - begun))
    } catch (error) {
      onProblem(error, job)
    }
  }
  const timer = setInterval(() => {
    renewal = renewal.then(renew)
  }, leaseMs / 4)
  return {
    lost: lost.signal,
    end: async () => {
      clearInterval(timer)
      await renewal
      clearTimeout(last)
    },
  }
}
