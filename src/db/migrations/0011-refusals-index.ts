import type { Migration } from './migration.js'

/** Refusals and failures are few among very many events, and the first that are looked for. */
export const refusalsIndex: Migration = {
  name: '0011-refusals-index',
  sql: `
create index audit_events_refused on audit_events (outcome, at desc, event_id desc)
  where outcome <> 'success';
`,
}
