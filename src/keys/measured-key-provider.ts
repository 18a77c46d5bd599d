import { outcomeOf } from '../errors/outcome-of.js'
import type { Watch } from '../ports/watch.js'
import type { RunningKeyProvider } from './several-key-providers.js'

export const keyOperations = ['wrap', 'unwrap'] as const

/** The same provider, whose every wrapping and unwrapping is told of: also those refused unasked in an outage. */
export function measuredKeyProvider(
  provider: RunningKeyProvider,
  watch: Watch,
): RunningKeyProvider {
  const over = async <T>(operation: (typeof keyOperations)[number], work: () => Promise<T>) => {
    const end = watch.begin('keys', operation)
    try {
      const result = await work()
      end('ok')
      return result
    } catch (error) {
      end(outcomeOf(error))
      throw error
    }
  }
  return {
    ...provider,
    wrap: (key, claims) => over('wrap', () => provider.wrap(key, claims)),
    wrapWith: (id, key, claims) => over('wrap', () => provider.wrapWith(id, key, claims)),
    unwrap: (text, claims) => over('unwrap', () => provider.unwrap(text, claims)),
    unwrapNamed: (text, claims) => over('unwrap', () => provider.unwrapNamed(text, claims)),
  }
}
