import { integer, type Kind } from './kinds.js'

/** A variable of the environment: what it is for, how it is read, what holds without it. */
export interface Variable<T> {
  /** One line for `.env.example` and `config check`. */
  readonly help: string
  readonly kind: Kind<T>
  readonly fallback: T
  /** Never printed; may also come as `NAME_FILE`, the path of a file that holds it. */
  readonly secret: boolean
  /** May be repeated in an error message: words and numbers, nothing that could carry credentials. */
  readonly printable: boolean
  /** Names of older services, accepted with a notice. */
  readonly older: readonly string[]
  /** Value shown in `.env.example` where the fallback says too little. */
  readonly example: string | undefined
}

interface Facts {
  older?: readonly string[]
  example?: string
}

export const variable = <T>(
  help: string,
  kind: Kind<T>,
  fallback: T,
  facts: Facts & { secret?: boolean; printable?: boolean } = {},
): Variable<T> => ({
  help,
  kind,
  fallback: Object.freeze(fallback),
  secret: facts.secret ?? false,
  printable: facts.printable ?? false,
  older: facts.older ?? [],
  example: facts.example,
})

/** A number, a flag or a word: has a fallback, and may be repeated in an error. */
export const plain = <T>(help: string, kind: Kind<T>, fallback: NoInfer<T>, facts: Facts = {}) =>
  variable(help, kind, fallback, { ...facts, printable: true })

export const optional = <T>(help: string, kind: Kind<T>, facts: Facts = {}) =>
  variable<T | undefined>(help, kind, undefined, facts)

export const secret = <T>(help: string, kind: Kind<T>, facts: Facts = {}) =>
  variable<T | undefined>(help, kind, undefined, { ...facts, secret: true })

export const seconds = (min: number, max: number) => integer(min, max, 'seconds')
