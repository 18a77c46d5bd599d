import { createHash } from 'node:crypto'
import t from 'tap'
import { assignmentsTable } from '../../src/db/assignments-table.js'
import type { Sql } from '../../src/db/database.js'
import { filesTable } from '../../src/db/files-table.js'
import { idempotencyTable } from '../../src/db/idempotency-table.js'
import { jobsTable } from '../../src/db/jobs-table.js'
import { sweepTable } from '../../src/db/sweep-table.js'
import { teamGrantsTable } from '../../src/db/team-grants-table.js'
import { createMigratedDatabase } from '../helpers/databases.js'
import {
  BIG_CLINICIAN,
  BIG_OWNER,
  CLINICIAN,
  makeFiles,
  OWNER,
  PATIENT,
} from './support/many-files.js'
import { type Cost, explaining, type PlannedFor } from './support/plans.js'

// What the stores' own statements cost where there are a million files: pages of PostgreSQL that are touched.
// Each is planned twice, for its values and for any, and asked at three sizes that are ten times apart.
// FILES=10000000 for ten million.

const most = Number(process.env['FILES'] ?? 1_000_000)
const sizes = [most / 100, most / 10, most]

const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
/** As md5(text)::uuid. */
const idOf = (text: string) =>
  createHash('md5')
    .update(text)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
const record = idOf('file301')
/** Deleted ones, another each time: a purged one is gone. */
let purged = 0
const nextDeleted = () => idOf(`file${20 + 50 * purged++}`)
const grants = Array.from({ length: 50 }, (_none, n) => idOf(`big${n * 10 + 1}`))
const hex = (text: string) => Buffer.from(text, 'hex')
/** In the midst of what was made, by time. */
const midst = { at: new Date('2026-06-01'), id: LAST_ID }
const now = new Date()

interface Asked {
  readonly what: string
  readonly ask: (sql: Sql) => Promise<unknown>
  /** Pages at most, whatever the size. */
  readonly pages: number
  /** It adds up what one owner has, and **may** take as many pages more. */
  readonly grows?: true
}

const page = { limit: 51 }
const asked: readonly Asked[] = [
  ...[OWNER, BIG_OWNER].flatMap((owner): Asked[] => {
    const list = (what: string, query: { deleted: boolean; after?: typeof midst }): Asked => ({
      what: `files of ${owner}: ${what}`,
      ask: (sql) => filesTable(sql).ownedEntries(owner, { ...page, ...query }),
      pages: 1_500,
    })
    return [
      list('first page', { deleted: false }),
      list('from the midst', { deleted: false, after: midst }),
      list('deleted, first page', { deleted: true }),
      list('deleted, from the midst', { deleted: true, after: midst }),
      {
        what: `files of ${owner}: bytes for the quota`,
        ask: (sql) => filesTable(sql).usage(owner),
        pages: 1_500,
        grows: true,
      },
    ]
  }),
  ...[CLINICIAN, BIG_CLINICIAN].flatMap((clinician): Asked[] => {
    const list = (what: string, query: object): Asked => ({
      what: `records open to ${clinician}: ${what}`,
      ask: (sql) => filesTable(sql).grantedEntries(clinician, { ...page, ...query }),
      pages: 2_500,
    })
    return [
      list('first page', {}),
      list('from the midst', { after: midst }),
      list('of one patient', { patientId: PATIENT }),
      list('of one type', { recordTypeId: 'progress-note' }),
      list('of one type, from the midst', { recordTypeId: 'progress-note', after: midst }),
      list('of a type there is none of', { recordTypeId: 'genetic-report' }),
      list('of all types but one', { exceptTypeIds: ['progress-note'] }),
      list('from a day on', { from: new Date('2026-11-01') }),
      list('of a span long ago', { from: new Date('2026-02-01'), to: new Date('2026-02-03') }),
    ]
  }),
  {
    what: 'the same bytes, at an upload',
    ask: (sql) => filesTable(sql).entriesByFingerprint('general', BIG_OWNER, hex('00'), BIG_OWNER),
    pages: 50,
  },
  {
    what: 'a file and what a person holds on it',
    ask: (sql) => filesTable(sql).entry(record, BIG_CLINICIAN),
    pages: 50,
  },
  { what: 'grants of a file', ask: (sql) => filesTable(sql).grants(record), pages: 50 },
  { what: 'grants that ended', ask: (sql) => filesTable(sql).endedGrants(grants), pages: 1_000 },
  { what: 'files that are held', ask: (sql) => filesTable(sql).isHeld(record), pages: 50 },
  {
    what: 'files to be purged',
    ask: (sql) => filesTable(sql).purgeable(now, 100),
    pages: 1_000,
  },
  {
    what: 'a file is purged',
    ask: (sql) => filesTable(sql).purge(nextDeleted(), now),
    pages: 500,
  },
  {
    what: 'a clinician and their patient',
    ask: (sql) => assignmentsTable(sql).isAssigned(BIG_CLINICIAN, PATIENT, now),
    pages: 50,
  },
  ...[
    { what: 'assignments', of: {} },
    { what: 'assignments of a clinician', of: { clinicianId: BIG_CLINICIAN } },
    { what: 'assignments of a patient', of: { patientId: PATIENT } },
  ].flatMap(({ what, of }): Asked[] => [
    { what, ask: (sql) => assignmentsTable(sql).list({ ...of, ...page }), pages: 500 },
    {
      what: `${what}, from the midst`,
      ask: (sql) =>
        assignmentsTable(sql).list({
          ...{ ...of, ...page },
          after: { at: new Date('2026-01-01T12:00:00Z'), id: LAST_ID },
        }),
      pages: 500,
    },
  ]),
  {
    what: 'records a team may be given',
    ask: (sql) => teamGrantsTable(sql).missingTeamGrants(BIG_CLINICIAN, PATIENT, 100),
    pages: 2_000,
  },
  {
    what: 'clinicians of a patient',
    ask: (sql) => teamGrantsTable(sql).assignedClinicians(PATIENT, now),
    pages: 200,
  },
  {
    what: 'sealed versions, from the first',
    ask: (sql) => sweepTable(sql).versionsAfter(undefined, 1_000),
    pages: 5_000,
  },
  {
    what: 'sealed versions, from the midst',
    ask: (sql) => sweepTable(sql).versionsAfter('80000000-0000-0000-0000-000000000000', 1_000),
    pages: 5_000,
  },
  {
    what: 'a job is claimed',
    ask: (sql) => jobsTable(sql).claim(['destroy-bytes'], now, now),
    pages: 500,
  },
  {
    what: 'a key of an upload that was done',
    ask: (sql) =>
      idempotencyTable(sql).begin(
        { callerId: 'owner-3', route: 'upload', keyHash: hex('00'), claimId: LAST_ID },
        1_000,
      ),
    pages: 50,
  },
]
await t.test(`${most} files`, { timeout: 1_100_000 }, async (t) => {
  const place = await createMigratedDatabase('postgres')
  const database = await place.open({ statementTimeoutMs: 900_000, transactionTimeoutMs: 900_000 })
  t.teardown(async () => {
    await database.close()
    await place.drop()
  })
  const seen = new Map<string, Cost[]>()
  let made = 0
  for (const size of sizes) {
    const begun = performance.now()
    await makeFiles(database, made + 1, size)
    made = size
    t.comment(`${size} files made in ${Math.round((performance.now() - begun) / 100) / 10} s`)
    for (const { what, ask, pages, grows } of asked) {
      for (const plannedFor of ['values', 'any'] satisfies PlannedFor[]) {
        const { sql, costs } = explaining(database, plannedFor)
        await ask(sql)
        for (const cost of costs) {
          const row = `${what} (${cost.query}, planned for ${plannedFor})`
          seen.set(row, [...(seen.get(row) ?? []), cost])
          if (size < most || grows) continue
          t.same(cost.scanned, [], `${row}: no table is read from end to end`)
          t.ok(cost.pages <= pages, `${row}: ${cost.pages} pages for ${cost.rows} rows`)
        }
      }
    }
  }
  t.comment(`| statement | rows | pages at ${sizes.join(', ')} files | ms |`)
  for (const [row, costs] of seen) {
    const of = (pick: (cost: Cost) => number | string) => costs.map(pick).join(', ')
    t.comment(
      `| ${row} | ${costs.at(-1)?.rows} | ${of(({ pages }) => pages)} | ${of(({ ms }) => ms.toFixed(1))} |`,
    )
  }
})
