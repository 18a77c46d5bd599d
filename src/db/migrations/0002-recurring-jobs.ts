import type { Migration } from './migration.js'

/** Attempts tell one claim from another and never start again; failures in a row set the wait. */
export const recurringJobs: Migration = {
  name: '0002-recurring-jobs',
  sql: `
alter table jobs add column failures integer not null default 0;
`,
}
