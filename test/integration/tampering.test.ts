import { createHash, randomUUID } from 'node:crypto'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Actor } from '../../src/audit/audit-events.js'
import type { Database, SqlValue } from '../../src/db/database.js'
import { isStrongroomError } from '../../src/errors/strongroom-error.js'
import { createMigratedDatabase, engines } from '../helpers/databases.js'
import {
  actor,
  fileOf,
  type Held,
  holds,
  limits,
  makeService,
  type Service,
  textOf,
} from '../helpers/service.js'

/*
 * A database writer, who also writes the disk, moves a victim's rows and bytes onto an account of
 * their own and asks for them as that account (docs/THREAT-MODEL.md).
 */
/** The whole file as its reader gets it. */
async function fetchFile(service: Service, who: Actor, fileId: string): Promise<string> {
  const opened = await service.own.open(who, fileId, { action: 'file.download' })
  const reading = service.read(who, opened)
  try {
    const bytes = await reading.bytes({ start: 0, end: reading.metadata.size }, 'download', {
      onceOver: () => undefined,
      breakOff: () => undefined,
    })
    const chunks: Buffer[] = []
    for await (const chunk of bytes) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  } finally {
    reading.close()
  }
}

async function sql(database: Database, text: string, ...values: SqlValue[]): Promise<void> {
  const name = `tamper-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
  await database.rows({ name, text }, values)
}

interface Attack {
  readonly service: Service
  readonly victim: Held
  readonly attacker: Held
  /** A statement of the database writer. */
  readonly write: (text: string, ...values: SqlValue[]) => Promise<void>
}

const moveKey = `update wrapped_file_keys w
  set wrapped = v.wrapped, user_key_version = v.user_key_version
  from wrapped_file_keys v where w.grant_id = $1 and v.grant_id = $2`
const moveUserKey = `update user_keys u set wrapped = v.wrapped
  from user_keys v where u.user_id = $1 and v.user_id = $2`
const moveMetadata = `update file_versions b
  set metadata = a.metadata, size = a.size, sealed_length = a.sealed_length
  from file_versions a where b.file_id = $1 and a.file_id = $2`
const moveGrant = 'update grants set user_id = $1 where grant_id = $2'
const moveFile = 'update files set owner_id = $1 where file_id = $2'

type Answer = 'opens' | 'damaged' | 'not_found'

interface Case {
  readonly what: string
  /** What the attacker gets when they ask for their own file, and for the victim's, afterwards. */
  readonly own: Answer
  readonly victims: Answer
  readonly attack: (attack: Attack) => Promise<void>
}

const swapSealings = async ({ write, attacker, victim }: Attack): Promise<void> => {
  await write(`alter table wrapped_file_keys
    drop constraint if exists wrapped_file_keys_sealed_id_fkey`)
  await write('alter table file_versions drop constraint if exists file_versions_sealed_id_key')
  const point = 'update file_versions set sealed_id = $2 where file_id = $1'
  await write(point, attacker.fileId, victim.sealedId)
  await write(point, victim.fileId, attacker.sealedId)
  const follow = 'update wrapped_file_keys set sealed_id = $2 where grant_id = $1'
  await write(follow, attacker.grantId, victim.sealedId)
  await write(follow, victim.grantId, attacker.sealedId)
}

const cases: readonly Case[] = [
  {
    what: 'nothing moved',
    own: 'opens',
    victims: 'not_found',
    attack: () => Promise.resolve(),
  },
  {
    what: "the victim's wrapped file key on one's own grant",
    own: 'damaged',
    victims: 'not_found',
    attack: ({ write, attacker, victim }) => write(moveKey, attacker.grantId, victim.grantId),
  },
  {
    what: "the victim's user key as one's own",
    own: 'damaged',
    victims: 'not_found',
    attack: ({ write, attacker, victim }) => write(moveUserKey, attacker.userId, victim.userId),
  },
  {
    what: "the victim's grant",
    own: 'opens',
    victims: 'not_found',
    attack: ({ write, attacker, victim }) => write(moveGrant, attacker.userId, victim.grantId),
  },
  {
    what: "the victim's file",
    own: 'opens',
    victims: 'not_found',
    attack: ({ write, attacker, victim }) => write(moveFile, attacker.userId, victim.fileId),
  },
  {
    what: "the victim's file and grant",
    own: 'opens',
    victims: 'damaged',
    attack: async ({ write, attacker, victim }) => {
      await write(moveFile, attacker.userId, victim.fileId)
      await write(moveGrant, attacker.userId, victim.grantId)
    },
  },
  {
    what: "the victim's file, grant and user key",
    own: 'damaged',
    victims: 'damaged',
    attack: async ({ write, attacker, victim }) => {
      await write(moveFile, attacker.userId, victim.fileId)
      await write(moveGrant, attacker.userId, victim.grantId)
      await write(moveUserKey, attacker.userId, victim.userId)
    },
  },
  {
    what: "the victim's metadata on one's own version",
    own: 'damaged',
    victims: 'not_found',
    attack: ({ write, attacker, victim }) => write(moveMetadata, attacker.fileId, victim.fileId),
  },
  {
    what: "the victim's sealing under one's own version",
    own: 'damaged',
    victims: 'not_found',
    attack: swapSealings,
  },
  {
    what: "the victim's sealing, keys and metadata under one's own version",
    own: 'damaged',
    victims: 'not_found',
    attack: async (attack) => {
      const { write, attacker, victim } = attack
      await write(moveKey, attacker.grantId, victim.grantId)
      await write(moveUserKey, attacker.userId, victim.userId)
      await write(moveMetadata, attacker.fileId, victim.fileId)
      await swapSealings(attack)
    },
  },
  {
    what: "the victim's bytes in place of one's own",
    own: 'damaged',
    victims: 'not_found',
    attack: ({ service, attacker, victim }) =>
      copyFile(blobOf(service, victim.sealedId), blobOf(service, attacker.sealedId)),
  },
  {
    what: 'the metadata of an older version on the newest',
    own: 'damaged',
    victims: 'not_found',
    attack: async ({ service, attacker, write }) => {
      const who = actor(attacker.userId)
      const opened = await service.own.open(who, attacker.fileId, { action: 'file.version_add' })
      const sealed = await service.seal(fileOf(textOf('next')), limits)
      await service.add(who, opened, { sealed })
      opened.close()
      await write(
        `update file_versions n set metadata = o.metadata from file_versions o
          where n.file_id = $1 and o.file_id = $1 and n.version = 2 and o.version = 1`,
        attacker.fileId,
      )
    },
  },
  {
    what: "another end of one's own grant",
    own: 'damaged',
    victims: 'not_found',
    attack: ({ write, attacker }) =>
      write(
        "update grants set expires_at = now() + interval '1 day' where grant_id = $1",
        attacker.grantId,
      ),
  },
  {
    what: "another basis of one's own grant",
    own: 'damaged',
    victims: 'not_found',
    attack: ({ write, attacker }) =>
      write("update grants set basis = 'explicit' where grant_id = $1", attacker.grantId),
  },
]

function blobOf({ folder }: Service, id: string): string {
  return join(folder, id.slice(0, 2), id.slice(2, 4), id)
}

async function holdsOut(t: Test, service: Service, { own, victims, attack }: Case): Promise<void> {
  const victim = await holds(service, `victim-${randomUUID()}`)
  const attacker = await holds(service, `attacker-${randomUUID()}`)
  const write: Attack['write'] = (text, ...values) => sql(service.database, text, ...values)
  await attack({ service, victim, attacker, write })
  await asksFor(t, service, { attacker, fileId: attacker.fileId, expected: own })
  await asksFor(t, service, { attacker, fileId: victim.fileId, expected: victims })
  const { files } = await service.list(actor(attacker.userId), { limit: 50, deleted: false })
  const listed = files.map(({ file_id }) => file_id)
  t.notOk(listed.includes(victim.fileId), 'it is not listed')
}

async function hidesNoOther(t: Test, service: Service): Promise<void> {
  const who = actor(`reader-${randomUUID()}`)
  const whole = await holds(service, who.userId)
  const { fileId } = await holds(service, who.userId, textOf('another'))
  await sql(service.database, "update file_versions set metadata = '' where file_id = $1", fileId)
  const { files, damaged } = await service.list(who, { limit: 50, deleted: false })
  t.same([files.map(({ file_id }) => file_id), damaged], [[whole.fileId], [fileId]])
  const facts = { fileId, outcome: 'failed', reason: 'damaged' }
  t.ok(await isRecorded(service, who, facts), 'it is on record')
}

/** Only the attacker's own words ever come, and every refusal is on record. */
async function asksFor(
  t: Test,
  service: Service,
  { attacker, fileId, expected }: { attacker: Held; fileId: string; expected: Answer },
): Promise<void> {
  const who = actor(attacker.userId)
  const answer = await fetchFile(service, who, fileId).catch((error: unknown) => {
    if (isStrongroomError(error, 'damaged', 'not_found')) return error.code
    throw error
  })
  t.equal(answer, expected === 'opens' ? textOf(attacker.userId) : expected)
  if (expected === 'opens') return
  const outcome = expected === 'damaged' ? 'failed' : 'denied'
  t.ok(await isRecorded(service, who, { fileId, outcome, reason: expected }), 'it is on record')
}

/** What breaks off a stream is written beside it: it may come a moment later. */
async function isRecorded(
  { database }: Service,
  { requestId }: Actor,
  { fileId, outcome, reason }: { fileId: string; outcome: string; reason: string },
): Promise<boolean> {
  const text = `select event_id from audit_events
    where request_id = $1 and file_id = $2 and outcome = $3 and reason = $4`
  const values = [requestId, fileId, outcome, reason]
  for (const end = Date.now() + 5_000; Date.now() < end; ) {
    const found = await database.rows({ name: 'tampering-events', text }, values)
    if (found.length > 0) return true
    await setTimeout(20)
  }
  return false
}

for (const engine of engines) {
  await t.test(engine, async (t) => {
    const place = await createMigratedDatabase(engine)
    t.teardown(() => place.drop())
    const database = await place.open()
    t.teardown(() => database.close())
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-tampering-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const service = await makeService(database, folder)
    t.teardown(() => service.running.close())
    for (const one of cases) await t.test(one.what, (t) => holdsOut(t, service, one))
    await t.test('one damaged file hides no other', (t) => hidesNoOther(t, service))
  })
}
