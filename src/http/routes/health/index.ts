import type { App } from '../../app-type.js'
import { healthRoute } from './health.js'
import { liveRoute } from './live.js'
import { readyRoute } from './ready.js'

export function registerHealthRoutes(app: App, use: Parameters<typeof readyRoute>[1]): void {
  healthRoute(app)
  liveRoute(app)
  readyRoute(app, use)
}
