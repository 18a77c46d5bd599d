import { Agent, request } from 'undici'
import { type Anchor } from '../audit/ports.js'

const TIMEOUT_MS = 10_000

/**
 * Posts signed heads to whoever keeps them: the envelope as `application/vnd.dsse.envelope+json`. Any 2xx
 * says that it is kept.
 */
export function anchorWebhook(url: string): Anchor & { close(): Promise<void> } {
  const dispatcher = new Agent({
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connections: 1,
  })
  return {
    put: async (line) => {
      const { statusCode, body } = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.dsse.envelope+json' },
        body: line,
        dispatcher,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      await body.dump({ limit: 16_384 })
      if (statusCode < 200 || statusCode > 299) {
        throw new Error(`The keeper of audit heads answered ${statusCode}`)
      }
    },
    close: () => dispatcher.close(),
  }
}
