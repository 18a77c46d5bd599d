import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Server } from '../../acceptance/support/server.js'
import type { MasterKeys, Phase } from './service-keys.js'
import type { CommandName, Durations } from './service-kinds.js'
import type { Client } from './service-model.js'

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
  /** Runs a command to its end, which has to be 0; its report. */
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
  prepare?(world: World): Promise<void>
  args(world: World): readonly string[]
  /** A first guess, in milliseconds. */
  readonly usualMs: number
  /** How PostgreSQL shows that the command is at its own work, and not just starting. */
  readonly statement: RegExp
  /** After the restart, before anything is verified: what became of it, on the book. */
  after?(world: World): Promise<void>
}

const userKeys = /from user_keys where \(user_id|update user_keys|pg_advisory|keys\.r/

/**
 * All of them. Another one is an entry here and a name in `CommandName`. Where it changes what there
 * is, `after` runs it again to its end and puts on the items what must hold then.
 */
export const commands: readonly Command[] = [
  {
    name: 'rotation',
    usualMs: 400,
    phase: 'moved',
    args: () => ['keys', 'rotate-master'],
    statement: userKeys,
    after: seeHowFar,
  },
  {
    name: 'retire',
    usualMs: 100,
    phase: 'moved',
    isLast: true,
    prepare: async ({ run }) => {
      await run('keys', 'rotate-master')
    },
    args: ({ masterKeys }) => ['keys', 'retire', masterKeys.oldId()],
    statement: userKeys,
  },
  {
    name: 'sweep',
    usualMs: 150,
    prepare: ({ server }) => plantDebris(server),
    args: () => ['sweep', '--grace-hours', '1'],
    statement: /file_versions|upload_intents/,
  },
]

interface Status {
  readonly master_keys: readonly { readonly id: string; readonly user_keys: number }[]
}

/** Whether some user keys are under the new master key and some are not. */
async function seeHowFar({ run, masterKeys, halfDone }: World): Promise<void> {
  const { master_keys } = (await run('keys', 'status')) as unknown as Status
  const under = (wanted: string) => master_keys.find(({ id }) => id === wanted)?.user_keys ?? 0
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
