import type { JobCount, JobRow, JobStore, ListedJob } from '../jobs/ports.js'
import type { Query, Sql } from './database.js'
import { run } from './run.js'

const COLUMNS = 'job_id as "jobId", kind, payload, attempts, failures, progress'

const insert: Query = {
  name: 'jobs-insert',
  text: `insert into jobs (job_id, kind, payload, run_after) values ($1, $2, $3, $4)
    on conflict (job_id) do update set run_after = least(jobs.run_after, excluded.run_after)
      where jobs.lease_until is null`,
}
const claim: Query = {
  name: 'jobs-claim',
  text: `update jobs set attempts = attempts + 1, lease_until = $3
    where job_id = (
      select job_id from jobs
      where kind = any($1::text[]) and run_after <= $2
        and (lease_until is null or lease_until <= $2)
      order by run_after, job_id limit 1
      for update skip locked)
    returning ${COLUMNS}`,
}
const begin: Query = {
  name: 'jobs-begin',
  text: `insert into jobs (job_id, kind, payload, run_after, attempts, lease_until)
    values ($1, $2, $3, $4, 1, $5)
    on conflict (job_id) do update
      set attempts = jobs.attempts + 1, run_after = $4, lease_until = $5
      where jobs.lease_until is null or jobs.lease_until <= $4
    returning ${COLUMNS}`,
}
const list: Query = {
  name: 'jobs-list',
  text: `select ${COLUMNS}, run_after as "runAfter", lease_until as "leaseUntil",
      failed_reason as "failedReason"
    from jobs order by run_after, job_id limit $1`,
}
const isIdle = '(lease_until is null or lease_until <= $1)'
const count: Query = {
  name: 'jobs-count',
  text: `select kind,
      count(*) filter (where run_after <= $1 and ${isIdle}) as due,
      count(*) filter (where not ${isIdle}) as running,
      count(*) filter (where failures > 0) as failed,
      min(run_after) filter (where run_after <= $1 and ${isIdle}) as "oldestDue"
    from jobs group by kind`,
}
const releaseAll: Query = {
  name: 'jobs-release-all',
  text: 'update jobs set lease_until = null where lease_until is not null',
}
/** Of the claim itself: one whose lease has passed to another node counts more attempts by then. */
const isOwn = 'job_id = $1 and attempts = $2'
const remove: Query = { name: 'jobs-remove', text: `delete from jobs where ${isOwn}` }
const renew: Query = {
  name: 'jobs-renew',
  text: `update jobs set lease_until = $3 where ${isOwn} returning job_id`,
}
const saveProgress: Query = {
  name: 'jobs-save-progress',
  text: `update jobs set progress = $3 where ${isOwn}`,
}
const again: Query = {
  name: 'jobs-again',
  text: `update jobs set run_after = $3, failures = 0, failed_reason = null, lease_until = null,
      progress = null
    where ${isOwn}`,
}
const retry: Query = {
  name: 'jobs-retry',
  text: `update jobs set run_after = $3, failed_reason = coalesce($4, failed_reason),
      failures = failures + case when $4::text is null then 0 else 1 end, lease_until = null
    where ${isOwn}`,
}

/** `attempts` of a claimed job counts this one. */
export function jobsTable(sql: Sql): JobStore {
  return {
    add: ({ jobId, kind, payload }, runAfter) =>
      run(sql, insert, [jobId, kind, JSON.stringify(payload), runAfter]),
    claim: async (kinds, now, leaseUntil) =>
      (await sql.rows<JobRow>(claim, [kinds, now, leaseUntil]))[0],
    begin: async ({ jobId, kind, payload }, now, leaseUntil) => {
      const values = [jobId, kind, JSON.stringify(payload), now, leaseUntil]
      return (await sql.rows<JobRow>(begin, values))[0]
    },
    list: (limit) => sql.rows<ListedJob>(list, [limit]),
    count: (now) => sql.rows<JobCount>(count, [now]),
    releaseAll: () => run(sql, releaseAll, []),
    renew: async ({ jobId, attempts }, leaseUntil) =>
      (await sql.rows(renew, [jobId, attempts, leaseUntil])).length > 0,
    saveProgress: ({ jobId, attempts }, progress) =>
      run(sql, saveProgress, [jobId, attempts, JSON.stringify(progress)]),
    again: ({ jobId, attempts }, runAfter) => run(sql, again, [jobId, attempts, runAfter]),
    done: ({ jobId, attempts }) => run(sql, remove, [jobId, attempts]),
    retry: ({ jobId, attempts }, runAfter, reason) =>
      run(sql, retry, [jobId, attempts, runAfter, reason]),
  }
}
