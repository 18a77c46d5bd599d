import { type Sample, sampleOf } from './statistics.js'

export interface Bound {
  /** What we want to reach. */
  readonly aim: number
  /** What must hold: past it the bench fails. */
  readonly limit?: number
  /** Whether a figure is good where it is at least, or at most, so much. */
  readonly is: 'at least' | 'at most'
}

export interface Report {
  heading(text: string): void
  /** Median and spread of a figure, and how it stands to its bound. */
  figure(name: string, values: readonly number[], unit: string, bound?: Bound): Sample
  note(text: string): void
  /** Names of the figures past their limit. */
  failures(): readonly string[]
}

const nameWidth = 58

export function report(write: (line: string) => void): Report {
  const failures: string[] = []
  return {
    heading: (text) => {
      write(`\n${text}`)
    },
    figure: (name, values, unit, bound) => {
      const sample = sampleOf(values)
      if (bound?.limit !== undefined && !keeps(sample.median, bound.is, bound.limit)) {
        failures.push(name)
      }
      const spread = `${round(sample.least)} … ${round(sample.most)}`
      write(
        `  ${name.padEnd(nameWidth)}${round(sample.median).padStart(8)} ${unit.padEnd(8)}` +
          `(${spread}, n=${values.length})${standing(sample, bound)}`,
      )
      return sample
    },
    note: (text) => {
      write(`  ${text}`)
    },
    failures: () => failures,
  }
}

function standing({ median }: Sample, bound: Bound | undefined): string {
  if (bound === undefined) return ''
  const { aim, limit, is } = bound
  const sign = is === 'at least' ? '≥' : '≤'
  if (keeps(median, is, aim)) return `  aim ${sign} ${aim}: met`
  const within = limit === undefined || keeps(median, is, limit)
  return `  aim ${sign} ${aim}: ${within ? 'missed' : `FAILED, limit ${limit}`}`
}

function keeps(value: number, is: Bound['is'], bound: number): boolean {
  return is === 'at least' ? value >= bound : value <= bound
}

/** Three significant digits. */
function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}
