import type { Migration } from './migration.js'

/** Where a long job goes on after it was broken off. */
export const jobProgress: Migration = {
  name: '0004-job-progress',
  sql: `
alter table jobs add column progress jsonb;
`,
}
