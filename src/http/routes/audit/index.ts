import type { AuditLog } from '../../../audit/audit-log.js'
import type { AuditReports } from '../../../audit/audit-reports.js'
import type { VerifyAudit } from '../../../audit/verify-audit.js'
import type { App } from '../../app-type.js'
import { auditLogsRoute } from './logs.js'
import { myActivityRoute } from './my-activity.js'
import { auditStatsRoutes } from './stats.js'
import { verifyAuditRoute } from './verify.js'

/** What the calls on the audit log need. */
export interface AuditRouteServices {
  readonly audit: AuditLog
  readonly auditing: { readonly reports: AuditReports; readonly verify: VerifyAudit }
}

/** The audit part of family E. */
export function registerAuditRoutes(app: App, services: AuditRouteServices): void {
  const { audit, auditing } = services
  const use = { audit, ...auditing }
  auditLogsRoute(app, use)
  myActivityRoute(app, use)
  auditStatsRoutes(app, use)
  verifyAuditRoute(app, use)
}
