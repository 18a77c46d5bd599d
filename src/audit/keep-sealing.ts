import { type Head } from './seal.js'
import type { Sealer } from './seal-events.js'

/** Milliseconds between two looks at what others left, and between two words of one's own. */
const LOOK_AROUND_MS = 30_000

interface Dependencies {
  readonly sealer: Sealer
  /** Milliseconds between two seals. */
  readonly everyMs: number
  /** Told of each new head before the next seal is made, and of the last one. */
  readonly onHead: (head: Head, options?: { readonly isLast: boolean }) => Promise<void>
  /** Makes room for the months to come. */
  readonly makeMonths: () => Promise<void>
  readonly onProblem: (error: unknown) => void
}

/** Seals what this process writes for as long as it runs, and on closing what is left. */
export async function keepSealing(use: Dependencies) {
  const { sealer, everyMs, onHead, makeMonths, onProblem } = use
  await makeMonths()
  await sealer.begin()
  let lookedAt = Number.NEGATIVE_INFINITY
  const round = async () => {
    await sealer.hear()
    const head = await sealer.seal()
    if (head !== undefined) await onHead(head)
    await sealer.answer()
    if (performance.now() - lookedAt < LOOK_AROUND_MS) return
    lookedAt = performance.now()
    await sealer.tell()
    await sealer.adopt()
    await makeMonths()
  }
  // One after another: a round that takes longer than that is followed by the next one, not overtaken.
  let underWay = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let isClosing = false
  const later = () => {
    timer = setTimeout(() => {
      underWay = underWay.then(round).catch(onProblem)
      void underWay.then(() => {
        if (!isClosing) later()
      })
    }, everyMs).unref()
  }
  later()
  return {
    /** Everything written before is sealed when this resolves. */
    sealNow: async () => {
      const next = underWay.then(round)
      underWay = next.catch(onProblem)
      await next
    },
    close: async () => {
      isClosing = true
      clearTimeout(timer)
      await underWay
      try {
        const head = await sealer.end()
        await onHead(head ?? sealer.head(), { isLast: true })
      } catch (error) {
        // The database is away: whoever comes next seals what is left.
        onProblem(error)
      }
    },
  }
}
