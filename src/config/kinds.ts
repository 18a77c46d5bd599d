import { isIP } from 'node:net'

/** A value that breaks its rule. `message` completes the sentence "expected …" and never repeats the value. */
export class WrongValue extends Error {
  override readonly name = 'WrongValue'
}

/** Turns the text of a variable into its value; throws WrongValue with what was expected. */
export type Kind<T> = (text: string) => T

export const text =
  (rule: { maxLength?: number; pattern?: RegExp; expected?: string } = {}): Kind<string> =>
  (value) => {
    const { maxLength = 1024, pattern, expected } = rule
    if (value.length > maxLength) throw new WrongValue(`at most ${maxLength} characters`)
    if (pattern !== undefined && !pattern.test(value))
      throw new WrongValue(expected ?? 'other text')
    return value
  }

/** A whole number within bounds, both included. */
export const integer =
  (min: number, max: number, unit = ''): Kind<number> =>
  (value) => {
    const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= min && number <= max)) {
      throw new WrongValue(`a whole number${unit && ` of ${unit}`} from ${min} to ${max}`)
    }
    return number
  }

const flags = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['0', false],
  ['no', false],
  ['off', false],
])

export const flag: Kind<boolean> = (value) => {
  const known = flags.get(value.toLowerCase())
  if (known === undefined) throw new WrongValue('true or false')
  return known
}

/** One of a few words; `aliases` are other spellings of them, in lower case. */
export const oneOf =
  <const W extends string>(words: readonly W[], aliases: Record<string, W> = {}): Kind<W> =>
  (value) => {
    const wanted = value.toLowerCase()
    const word = words.find((each) => each.toLowerCase() === wanted)
    const alias = Object.hasOwn(aliases, wanted) ? aliases[wanted] : undefined
    const found = word ?? alias
    if (found === undefined) throw new WrongValue(`one of ${words.join(', ')}`)
    return found
  }

/** A list separated by commas or white space, without repetitions. */
export const list =
  <T>(item: Kind<T>): Kind<readonly T[]> =>
  (value) => [
    ...new Set(
      value
        .split(/[\s,]+/)
        .filter((each) => each !== '')
        .map(item),
    ),
  ]

function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null
}

/** An absolute URL without user, password or fragment; `protocols` as in `['http:', 'https:']`. */
export const url =
  (protocols: readonly string[] = ['http:', 'https:']): Kind<string> =>
  (value) => {
    const parsed = parseUrl(value)
    const schemes = protocols.map((each) => `${each}//…`).join(' or ')
    if (parsed === null || !protocols.includes(parsed.protocol) || parsed.host === '') {
      throw new WrongValue(`a URL, ${schemes}`)
    }
    if (parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') {
      throw new WrongValue('a URL without user, password or fragment')
    }
    return value
  }

/** A connection string: a URL that may carry a user and password. */
export const connection =
  (protocols: readonly string[]): Kind<string> =>
  (value) => {
    const parsed = parseUrl(value)
    if (parsed === null || !protocols.includes(parsed.protocol)) {
      throw new WrongValue(`a URL, ${protocols.map((each) => `${each}//…`).join(' or ')}`)
    }
    return value
  }

/** A web origin (RFC 6454): scheme, host and port, nothing after. */
export const origin: Kind<string> = (value) => {
  const parsed = parseUrl(value)
  const web = parsed?.protocol === 'https:' || parsed?.protocol === 'http:'
  if (parsed === null || !web || parsed.origin !== value.replace(/\/$/, '').toLowerCase()) {
    throw new WrongValue('origins such as https://portal.example, without a path')
  }
  return parsed.origin
}

/** Origins that may read answers, or `*` alone. */
export const corsOrigins: Kind<'*' | readonly string[]> = (value) =>
  value === '*' ? '*' : list(origin)(value)

const keywordOf = (value: string): string | undefined =>
  ({ self: "'self'", "'self'": "'self'", none: "'none'", "'none'": "'none'" })[value.toLowerCase()]

const frameAncestor: Kind<string> = (value) => {
  const keyword = keywordOf(value)
  if (keyword !== undefined) return keyword
  const wildcard = /^(https?:\/\/)\*\.([a-z0-9.-]+(?::\d{1,5})?)$/i.exec(value)
  if (wildcard === null) return origin(value)
  return value.toLowerCase()
}

/** Source list of CSP `frame-ancestors`: 'self', 'none' alone, or origins, `https://*.host` included. */
export const frameAncestors: Kind<readonly string[]> = (value) => {
  const sources = list(frameAncestor)(value)
  if (sources.includes("'none'") && sources.length > 1)
    throw new WrongValue("'none' to stand alone")
  return sources
}

/** A host name as in the Host header, with or without port; `.example.org` stands for its subdomains too. */
export const hostName = text({
  maxLength: 260,
  pattern:
    /^(?:\*|\.?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?)$/i,
  expected: 'host names such as files.example.org (or .example.org with its subdomains)',
})

const isAddressRange = (value: string): boolean => {
  const [address = '', bits, ...rest] = value.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  if (bits === undefined) return true
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

const namedRanges = ['loopback', 'linklocal', 'uniquelocal']

const proxyRange: Kind<string> = (value) => {
  if (!namedRanges.includes(value) && !isAddressRange(value)) {
    throw new WrongValue('a number of hops or a list of addresses and CIDR ranges')
  }
  return value
}

/** Whose X-Forwarded-* headers are believed: nobody's, those of n hops, or those of the addresses named. */
export const trustProxy: Kind<false | number | readonly string[]> = (value) => {
  if (value.toLowerCase() === 'true') {
    throw new WrongValue(
      'a number of hops or CIDR ranges: "true" would let any caller write their own address',
    )
  }
  if (value === '0' || value.toLowerCase() === 'false') return false
  return /^\d+$/.test(value) ? integer(1, 16, 'hops')(value) : list(proxyRange)(value)
}

/** A JSON object whose members pass `member`; the order of the text is kept. */
export const jsonObject =
  <T>(
    expected: string,
    member: (value: unknown, name: string) => T,
  ): Kind<ReadonlyMap<string, T>> =>
  (value) => {
    const parsed = parseJson(value, expected)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new WrongValue(expected)
    }
    return new Map(Object.entries(parsed).map(([name, each]) => [name, member(each, name)]))
  }

// The parser's own message quotes the text, which may be a secret.
function parseJson(value: string, expected: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    throw new WrongValue(expected)
  }
}
