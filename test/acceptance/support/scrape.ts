import type { Server } from './server.js'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What `/metrics` said, read as Prometheus reads it. */
export interface Scraped {
  readonly text: string
  readonly samples: readonly Sample[]
  /** Sum over the series of this name that have these labels; nothing where there is none. */
  readonly sum: (name: string, labels?: Readonly<Record<string, string>>) => number | undefined
}

const line = /^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/
const label = /(?<name>\w+)="(?<value>(?:[^"\\]|\\.)*)"/g

export function parseScrape(text: string): Scraped {
  const samples = text.split('\n').flatMap((each): Sample[] => {
    if (each === '' || each.startsWith('#')) return []
    const found = line.exec(each)?.groups
    if (found === undefined) throw new Error(`Not a sample: ${each}`)
    const labels = [...(found['labels'] ?? '').matchAll(label)].map(
      ({ groups }) => [groups?.['name'] ?? '', groups?.['value'] ?? ''] as const,
    )
    const { name = '', value } = found
    return [{ name, labels: Object.fromEntries(labels), value: Number(value) }]
  })
  return {
    text,
    samples,
    sum: (name, labels = {}) => {
      const those = samples.filter(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
      )
      if (those.length === 0) return undefined
      return those.reduce((sum, { value }) => sum + value, 0)
    },
  }
}

export async function scrape(server: Server): Promise<Scraped> {
  const answer = await server.call('/metrics')
  if (answer.status !== 200) throw new Error(`Not scraped: ${answer.status} ${answer.text}`)
  return parseScrape(answer.text)
}
