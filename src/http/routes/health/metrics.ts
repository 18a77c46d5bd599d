import { Type } from 'typebox'
import { StrongroomError } from '../../../errors/strongroom-error.js'
import type { Scrape } from '../../../ports/meter.js'
import type { App } from '../../app-type.js'
import { isOperator } from '../../operator.js'

interface Use {
  readonly scrape: () => Promise<Scrape>
  readonly metricsToken: string | undefined
}

/**
 * `GET /metrics`, for Prometheus. To others than operators it is not there, or takes the token where there
 * is one.
 * @throws StrongroomError `not_found`, `unauthenticated`
 */
export function metricsRoute(app: App, { scrape, metricsToken }: Use): void {
  const schema = {
    tags: ['health'],
    summary: 'What is measured, in the text format of Prometheus',
    description: 'Told to callers on this machine and to those with METRICS_TOKEN',
    response: { 200: { content: { 'text/plain': { schema: Type.String() } } } },
  }
  app.get('/metrics', { schema, config: { isHealth: true } }, async (request, reply) => {
    if (!isOperator(request, metricsToken)) {
      throw new StrongroomError(metricsToken === undefined ? 'not_found' : 'unauthenticated')
    }
    const { contentType, text } = await scrape()
    return await reply.type(contentType).send(text)
  })
}
