import type { App } from '../../app-type.js'
import { Health } from '../../schemas/health.js'

/** `GET /api/health/`: the service answers. */
export function healthRoute(app: App): void {
  const schema = { tags: ['health'], security: [], response: { 200: Health } }
  app.get('/api/health/', { schema, config: { isHealth: true } }, () => ({
    status: 'healthy' as const,
  }))
}
