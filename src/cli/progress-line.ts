import type { Progress } from '../operations/operation.js'

const WIDTH = 24
/** Below this nobody can tell yet how long it will take. */
const LEAST_SHARE = 0.02

/** How far something is, as one line: a bar where the whole is known, and about how long it still takes. */
export function progressLine(name: string, { done, total }: Progress, elapsedMs: number): string {
  if (total === undefined || total === 0) return `${name}: ${done}`
  const share = Math.min(done / total, 1)
  const full = Math.floor(share * WIDTH)
  const bar = `${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}`
  const percent = `${Math.floor(share * 100)}`.padStart(3)
  const left =
    share < LEAST_SHARE || share === 1
      ? ''
      : `, about ${duration((elapsedMs * (1 - share)) / share)} left`
  return `${name} ${bar} ${percent} % (${done} of ${total}${left})`
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`
}
