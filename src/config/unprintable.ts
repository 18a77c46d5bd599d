import { inspect } from 'node:util'

/** Freezes settings; printed, logged or put into JSON by mistake they say nothing. */
export function unprintable<T extends object>(settings: T): Readonly<T> {
  const hidden = { value: () => '[settings]', enumerable: false }
  return Object.freeze(
    Object.defineProperties(settings, { toJSON: hidden, [inspect.custom]: hidden }),
  )
}
