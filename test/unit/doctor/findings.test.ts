import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { BucketFacts } from '../../../src/blobs/s3/s3-inspection.js'
import { lookAtBucket } from '../../../src/doctor/look-at-bucket.js'
import { lookAtPostgres } from '../../../src/doctor/look-at-database.js'
import { lookAtFolder } from '../../../src/doctor/look-at-folder.js'

const good: BucketFacts = {
  ...{ problem: undefined, hasConditions: true, clockAheadMs: 900, isPrivate: true },
  ...{ isVersioned: true, isEncrypted: true, endsUploads: true, isLogged: true },
}

const statesOf = (facts: BucketFacts) => lookAtBucket(facts).map(({ state }) => state)

void t.test('a bucket as it should be', (t) => {
  t.same(new Set(statesOf(good)), new Set(['ok']))
  t.end()
})

void t.test('each thing that a bucket lacks is one finding, with how to mend it', (t) => {
  const lacks: [Partial<BucketFacts>, string, RegExp][] = [
    [{ isPrivate: false }, 'wrong', /may be read by anyone/],
    [{ problem: 'S3_BUCKET: there is no such bucket' }, 'wrong', /no such bucket/],
    [{ clockAheadMs: -120_000 }, 'wrong', /-120 s from the bucket’s/],
    [{ hasConditions: false }, 'warning', /would write over/],
    [{ isVersioned: false }, 'warning', /keeps no versions/],
    [{ isEncrypted: false }, 'warning', /does not encrypt/],
    [{ endsUploads: false }, 'warning', /keeps what broken uploads left/],
    [{ isLogged: false }, 'warning', /logs nothing/],
    [{ isVersioned: undefined }, 'warning', /does not say whether it keeps versions/],
  ]
  for (const [lack, state, says] of lacks) {
    const found = lookAtBucket({ ...good, ...lack }).filter((each) => each.state !== 'ok')
    t.equal(found.length, 1)
    t.match(found[0], { state, says, mend: /\w/ })
  }
  t.end()
})

void t.test('folders: private, with room, and taking files', async (t) => {
  const folder = t.testdir({ file: 'x' })
  const own = join(folder, 'own')
  await mkdir(own, { mode: 0o700 })
  const found = await lookAtFolder('data', own, 'DATA_DIR')
  t.match(found[0], { state: 'ok', says: /is private/ })
  t.match(found[1], { state: 'ok', says: 'it takes files' })
  t.match(found[2], { says: /GiB free of/ })
  t.same(await readdir(own), [], 'and nothing is left of trying')
  await chmod(own, 0o755)
  t.match((await lookAtFolder('data', own, 'DATA_DIR'))[0], {
    ...{ state: 'warning', says: /open to others \(755\)/, mend: /chmod 700/ },
  })
  t.match(await lookAtFolder('data', join(folder, 'none'), 'DATA_DIR'), [
    { state: 'warning', says: /is not there/, mend: /DATA_DIR/ },
  ])
  t.match(await lookAtFolder('data', join(folder, 'file'), 'DATA_DIR'), [
    { state: 'wrong', says: /is no folder/ },
  ])
  await writeFile(join(folder, 'other'), '')
  t.match(await lookAtFolder('data', join(folder, 'other', 'below'), 'X'), [
    { state: 'wrong', says: /ENOTDIR/ },
  ])
})

void t.test('a database that is too old, far off, in the clear and unsafe', async (t) => {
  const row = {
    ...{ version: 150_014, encoding: 'UTF8', maxConnections: 100, fsync: 'on' },
    ...{ fullPages: 'on', isEncrypted: true, now: new Date() },
  }
  const look = (more: object, connections = 20) =>
    lookAtPostgres(
      { rows: <R extends object>() => Promise.resolve([{ ...row, ...more } as unknown as R]) },
      { connections, isElsewhere: true },
    )
  t.same(new Set((await look({})).map(({ state }) => state)), new Set(['ok']))
  const cases: [object, number, string, RegExp][] = [
    [{ version: 140_001 }, 20, 'wrong', /PostgreSQL 14.1 is too old/],
    [{ encoding: 'SQL_ASCII' }, 20, 'wrong', /encoding/],
    [{ fsync: 'off' }, 20, 'wrong', /power cut/],
    [{ isEncrypted: false }, 20, 'warning', /in the clear/],
    [{ now: new Date(Date.now() + 9_000) }, 20, 'wrong', /ms from the database/],
    [{}, 60, 'warning', /60 of 100 connections/],
  ]
  for (const [more, connections, state, says] of cases) {
    const found = (await look(more, connections)).filter((each) => each.state !== 'ok')
    t.match(found, [{ state, says }])
    t.equal(found.length, 1)
  }
})
