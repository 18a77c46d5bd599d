import type { Migration } from './migration.js'

/** Exports of months of the audit log: what a file must be that a month is dropped for. */
export const auditRetention: Migration = {
  name: '0010-audit-retention',
  sql: `
create table audit_months (
  month text primary key,
  events bigint not null,
  digest bytea not null,
  exported_at timestamptz not null
);
`,
}
