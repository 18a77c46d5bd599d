import type { App } from '../../app-type.js'
import { Liveness } from '../../schemas/health.js'

/** `GET /health/live`: the process runs; restarting it would change nothing. */
export function liveRoute(app: App): void {
  const schema = { tags: ['health'], security: [], response: { 200: Liveness } }
  app.get('/health/live', { schema, config: { isHealth: true } }, () => ({
    status: 'live' as const,
  }))
}
