import { hash, verify } from '@node-rs/argon2'
import { compare } from 'bcryptjs'
import { StrongroomError } from '../errors/strongroom-error.js'

/** OWASP's parameters for Argon2id, the package's default: 19 MiB, two passes, one lane. They stand in each hash. */
const parameters = {
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
} as const
const prefix = `$argon2id$v=19$m=${parameters.memoryCost},t=${parameters.timeCost},p=${parameters.parallelism}$`

/** Hashes that are computed at once, each with its memory, and those that may wait for it. */
const AT_ONCE = 2
const MOST_WAITING = 64

export const passwordLength = { least: 12, most: 256 } as const
/** Of zxcvbn's five: 3 withstands somebody who has the hash for some time. */
const LEAST_SCORE = 3

/** Hashing and checking passwords, so many at a time. */
export interface Passwords {
  hash(password: string): Promise<string>
  /**
   * Whether this is the password of a hash. Without a hash it takes as long as with one, and is false.
   * @throws StrongroomError `too_many_requests`
   */
  matches(password: string, hash: string | undefined): Promise<boolean>
}

export function passwords(): Passwords {
  const inTurn = turns()
  // Compared with where there is no account. Made once, of what nobody knows, when it is first needed.
  let nobodys: Promise<string> | undefined
  return {
    hash: (password) => inTurn(() => hash(normal(password), parameters)),
    matches: async (password, known) => {
      nobodys ??= hash(crypto.randomUUID(), parameters)
      const against = known ?? (await nobodys)
      const isRight = await inTurn(() =>
        isBcrypt(against) ? compare(password, against) : verify(against, normal(password)),
      )
      return isRight && known !== undefined
    },
  }
}

/** The same password, however it was typed (RFC 8265 section 4.2). */
const normal = (password: string) => password.normalize('NFC')

/** As an older service kept them: good for one login more. */
const isBcrypt = (known: string) => /^\$2[aby]\$/.test(known)

/** Whether a hash can be one of a password. */
export function isPasswordHash(text: string): boolean {
  return (
    /^\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$/.test(text) ||
    /^\$argon2id\$v=19\$m=\d{1,7},t=\d{1,3},p=\d{1,2}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$/.test(
      text,
    )
  )
}

/** Whether a hash was made otherwise than one would be now. */
export function isOutdated(known: string): boolean {
  return !known.startsWith(prefix)
}

/**
 * Long enough, and not what is tried first.
 * @param about what an attacker knows of the person: e-mail, name
 * @throws StrongroomError `weak_password`
 */
export async function checkStrength(password: string, about: readonly string[]): Promise<void> {
  const { least, most } = passwordLength
  const length = Array.from(normal(password)).length
  if (length < least || length > most || password.includes('\0')) {
    throw weak(`A password of ${least} to ${most} characters is expected.`)
  }
  const words = about.flatMap((each) => [each, ...each.split(/[^\p{L}\p{N}]+/u)])
  const known = words.filter((word) => word.length > 2)
  const { score } = (await estimator()).check(normal(password), ['strongroom', ...known])
  if (score < LEAST_SCORE) {
    throw weak('This password is guessed too easily: a few unusual words are better.')
  }
}

const weak = (detail: string) => new StrongroomError('weak_password', { detail })

let estimating: ReturnType<typeof loadEstimator> | undefined

/** Its dictionaries are some megabytes: loaded when the first password is chosen. */
function estimator() {
  estimating ??= loadEstimator()
  return estimating
}

async function loadEstimator() {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: passwordLength.most })
}

function turns() {
  let running = 0
  const waiting: (() => void)[] = []
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= AT_ONCE) {
      if (waiting.length >= MOST_WAITING) {
        throw new StrongroomError('too_many_requests', { retryAfter: 2 })
      }
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      // Whoever waited takes this one's place.
      if (next === undefined) running -= 1
      else next()
    }
  }
}
