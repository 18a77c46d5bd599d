import type { Change } from './service-model.js'

/**
 * What a kill can find under way: a request, the service's own start, or what a command asks for. Or it
 * comes with an `answer`, the moment what was answered must be durable.
 */
export type Kind = Change | 'purge' | 'start' | 'answer' | CommandName

/** Kinds of requests a kill is aimed at. A deletion without retention is a purge. */
export const requestKinds = [
  'upload',
  'version_add',
  'update',
  'delete',
  'restore',
  'grant',
  'revoke',
  'purge',
] as const satisfies readonly Kind[]

export type RequestKind = (typeof requestKinds)[number]

export const isRequestKind = (kind: Kind): kind is RequestKind =>
  requestKinds.some((one) => one === kind)

export type CommandName =
  | 'rotation'
  | 'retire'
  | 'rotate_user'
  | 'reseal'
  | 'sweep'
  | 'purge_due'
  | 'shred'

/** Milliseconds that operations of each kind have taken of late. */
export interface Durations {
  note(kind: string, ms: number): void
  /** Forgets what was noted before. */
  renew(kind: string, ms: number): void
  /** The median. */
  usual(kind: string): number
}

const kept = 15
const guessMs = 20

/** With guesses for what was not seen yet. */
export function durations(guesses: Readonly<Record<string, number>>): Durations {
  const found = new Map<string, readonly number[]>()
  return {
    note: (kind, ms) => {
      found.set(kind, [...(found.get(kind) ?? []), ms].slice(-kept))
    },
    renew: (kind, ms) => {
      found.set(kind, [ms])
    },
    usual: (kind) => {
      const sorted = (found.get(kind) ?? []).toSorted((a, b) => a - b)
      return sorted[Math.floor(sorted.length / 2)] ?? guesses[kind] ?? guessMs
    },
  }
}
