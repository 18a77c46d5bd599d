import { type Command, commands } from './service-commands.js'
import type { Phase } from './service-keys.js'
import { type Kind, requestKinds } from './service-kinds.js'
import type { Setting } from './service-reckoning.js'

/** What a kill is aimed at, and how the service runs then. */
export interface Aim extends Setting {
  readonly kind: Kind
}

export const kinds: readonly Kind[] = [
  ...requestKinds,
  'start',
  'answer',
  ...commands.map(({ name }) => name),
]

/** Of so many kills, how many must have broken something of each kind off. */
export function leastOf(kills: number): number {
  if (kills >= 250) return 10
  return kills >= 1.4 * kinds.length ? 1 : 0
}

const commandOf = (kind: Kind): Command | undefined => commands.find(({ name }) => name === kind)

/** As many kinds as there are kills left, in a drawn order that fits the turn of the master key. */
export function planTurn(random: () => number, kills: number): Aim[] {
  const all = shuffled(random, kinds).slice(0, kills)
  const aim = (phase: Phase) => (kind: Kind) =>
    ({ kind, phase, isFinal: kind === 'purge' }) as const
  const free = all.filter((kind) => commandOf(kind)?.phase !== 'moved')
  const late = free.splice(Math.ceil(free.length / 2))
  const turning = all.filter((kind) => commandOf(kind)?.phase === 'moved')
  const isLast = (kind: Kind) => commandOf(kind)?.isLast === true
  return [
    ...free.slice(0, 1).map(aim('alone')),
    ...free.slice(1).map(aim('added')),
    ...shuffled(random, [...late, ...turning.filter((kind) => !isLast(kind))]).map(aim('moved')),
    ...turning.filter(isLast).map(aim('moved')),
  ]
}

export function shuffled<T>(random: () => number, all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
