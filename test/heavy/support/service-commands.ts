import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Server } from '../../acceptance/support/server.js'
import type { MasterKeys, Phase } from './service-keys.js'
import type { CommandName, Durations } from './service-kinds.js'
import { type Client, pathOf } from './service-model.js'

export type Report = Readonly<Record<string, unknown>>

/** What a command may need to know. */
export interface World {
  readonly server: Server
  readonly masterKeys: MasterKeys
  readonly durations: Durations
  /** One of an earlier round, with files, whom nobody works for any more; there is one once keys have `moved`. */
  readonly idle: () => Client
  /** Times a kill left something half done, by what. */
  readonly halfDone: Map<string, number>
  /** Runs a command to its end, which has to be 0, once nobody is at the same; its report. */
  readonly run: (...args: string[]) => Promise<Report>
}

/** What an operator asks for by a command, and a kill is to find under way. */
export interface Command {
  readonly name: CommandName
  /** How far the turn of the master key has to be. */
  readonly phase?: Phase
  /** To be done last in a turn of the master key. */
  readonly isLast?: true
  /** Sees to it that there is something to do. The service runs. */
  readonly prepare?: (world: World) => Promise<void>
  /** Chooses what is asked for; each time something else, where the command was faster than the kill. */
  readonly ask: (world: World) => Asked
  /** How it ends where it was asked for again once it was done: there is nothing left to strike. */
  readonly doneBefore?: RegExp
  /** A first guess, in milliseconds. */
  readonly usualMs: number
  /** How PostgreSQL shows that the command is at its own work, and not just starting. */
  readonly statement: RegExp
}

export interface Asked {
  readonly args: readonly string[]
  /** After the restart, before anything is verified: what became of it, on the book. */
  readonly after?: () => Promise<void>
}

const masterKeyRows = /from user_keys where \(user_id|update user_keys|pg_advisory|keys\.r/

/**
 * All of them. Another one is an entry here and a name in `CommandName`. Where it changes what there
 * is, `after` brings it to its end and puts on the items what must hold then.
 */
export const commands: readonly Command[] = [
  {
    name: 'rotation',
    phase: 'moved',
    ask: (world) => ({ args: ['keys', 'rotate-master'], after: () => seeHowFar(world) }),
    usualMs: 400,
    statement: masterKeyRows,
  },
  {
    name: 'retire',
    phase: 'moved',
    isLast: true,
    prepare: async ({ run }) => {
      await run('keys', 'rotate-master')
    },
    ask: ({ masterKeys }) => ({ args: ['keys', 'retire', masterKeys.oldId()] }),
    doneBefore: /\(not_found\)/,
    usualMs: 100,
    statement: masterKeyRows,
  },
  {
    name: 'rotate_user',
    phase: 'moved',
    ask: ({ idle }) => ({ args: ['keys', 'rotate-user', idle().owner.id] }),
    usualMs: 50,
    statement: /user_keys where user_id|insert into user_keys|wrapped_file_keys|grants/,
  },
  {
    name: 'reseal',
    phase: 'moved',
    ask: ({ idle }) => ({ args: ['keys', 'reseal', '--user', idle().owner.id] }),
    usualMs: 100,
    statement: /file_versions|upload_intents|wrapped_file_keys/,
  },
  {
    name: 'sweep',
    prepare: ({ server }) => plantDebris(server),
    ask: () => ({ args: ['sweep', '--grace-hours', '1'] }),
    usualMs: 150,
    statement: /file_versions|upload_intents/,
  },
  {
    // What was deleted and whose time is over since the service last stopped.
    name: 'purge_due',
    phase: 'moved',
    ask: () => ({ args: ['purge'] }),
    usualMs: 150,
    statement: /purge_after|purged_at/,
  },
  { name: 'shred', phase: 'moved', ask: shredFile, usualMs: 100, statement: /erasure/ },
]

/** One file, whether the kill was in time or not. */
function shredFile({ idle, server }: World): Asked {
  const client = idle()
  const item = client.items.find(({ state }) => state.isLive)
  if (item === undefined) throw new Error('Nothing to shred')
  const args = ['shred', '--file', item.id, '--yes', '--by', 'soak']
  const after = async () => {
    const { status } = await client.owner.get(`${pathOf(item)}/metadata`)
    if (status !== 404) {
      const { code, err } = await server.command(...args)
      if (code !== 0) throw new Error(`shred ended with ${code ?? 'a signal'}: ${err}`)
    }
    item.state = { ...item.state, isLive: false }
    item.isFinal = true
  }
  return { args, after }
}

/** The answer to who asks for what goes on already. */
export const isUnderWay = (err: string) => /This is under way already/.test(err)

interface MasterKeyStatus {
  readonly id: string
  readonly user_keys: number
  readonly check_value: boolean
}

export async function statusOf({ run }: Pick<World, 'run'>): Promise<readonly MasterKeyStatus[]> {
  return (await run('keys', 'status'))['master_keys'] as MasterKeyStatus[]
}

/** Whether some user keys are under the new master key and some are not. */
async function seeHowFar({ run, masterKeys, halfDone }: World): Promise<void> {
  const keys = await statusOf({ run })
  const under = (wanted: string) => keys.find(({ id }) => id === wanted)?.user_keys ?? 0
  if (under(masterKeys.oldId()) === 0 || under(masterKeys.nextId()) === 0) return
  halfDone.set('rotation', (halfDone.get('rotation') ?? 0) + 1)
}

/** Fewer than a sweep finds too many to believe. */
const planted = 25
const hours = 3

/** Sealed bytes that no row knows, as kills leave them, hours ago. */
async function plantDebris({ filesDir }: Server): Promise<void> {
  const at = new Date(Date.now() - hours * 3_600_000)
  for (let n = 0; n < planted; n++) {
    const id = randomUUID()
    const folder = join(filesDir, id.slice(0, 2), id.slice(2, 4))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, id), randomBytes(500))
    await utimes(join(folder, id), at, at)
  }
}
