import type { App } from '../../app-type.js'
import { healthRoute } from './health.js'
import { liveRoute } from './live.js'
import { metricsRoute } from './metrics.js'
import { readyRoute } from './ready.js'

type Use = Parameters<typeof readyRoute>[1] & Partial<Parameters<typeof metricsRoute>[1]>

export function registerHealthRoutes(app: App, use: Use): void {
  healthRoute(app)
  liveRoute(app)
  readyRoute(app, use)
  const { scrape, metricsToken } = use
  if (scrape !== undefined) metricsRoute(app, { scrape, metricsToken })
}
