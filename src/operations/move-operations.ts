import { Type } from 'typebox'
import type { BlobStore } from '../blobs/blob-store.js'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { MoveOptions, MoveReport } from '../files/move-blobs.js'
import type { JobHandler } from '../jobs/job-runner.js'
import type { AsJob } from './as-job.js'
import { operation } from './operation.js'

type Driver = 'disk' | 's3'

const input = Type.Object(
  {
    to: Type.Union([Type.Literal('disk'), Type.Literal('s3')]),
    remove_source: Type.Boolean(),
    verify: Type.Boolean(),
  },
  { additionalProperties: false },
)

export const MOVE_BLOBS = 'move_blobs'

export interface MoveDependencies {
  readonly openStore: (driver: Driver) => Promise<BlobStore>
  /** Where the service puts what is new. */
  readonly storageDriver: Driver
  readonly hasBucket: boolean
  readonly moveBlobs: (
    stores: { readonly from: BlobStore; readonly to: BlobStore },
    options: MoveOptions,
  ) => Promise<MoveReport>
}

interface Wish {
  readonly to: Driver
  readonly remove_source: boolean
  readonly verify: boolean
}

/** What a killed command leaves is gone on with by a node that serves. */
export function moveJob(use: MoveDependencies): JobHandler {
  return async ({ payload }, { signal, tell }) =>
    await move(use, { ...wishIn(payload), signal, progress: tell })
}

function wishIn({ to, remove_source, verify }: Readonly<Record<string, string>>): Wish {
  return {
    to: to === 's3' ? 's3' : 'disk',
    remove_source: remove_source === 'true',
    verify: verify === 'true',
  }
}

async function move(use: MoveDependencies, wish: Wish & Pick<MoveOptions, 'signal' | 'progress'>) {
  const { to, remove_source: removeSource, verify, signal, progress } = wish
  const from = to === 's3' ? 'disk' : 's3'
  if (!use.hasBucket) throw refused('S3_BUCKET and what goes with it are not set')
  if (removeSource && use.storageDriver !== to) {
    throw refused(`the service still puts new files on ${from}: STORAGE_DRIVER=${to} first`)
  }
  const stores = { from: await use.openStore(from), to: await use.openStore(to) }
  const report = await use.moveBlobs(stores, { removeSource, verify, signal, progress })
  return { from, to, ...report }
}

const refused = (detail: string) => new StrongroomError('conflict', { detail })

/** Moving sealed files from a disk to S3, or back, while the service goes on. */
export function moveOperations(use: MoveDependencies & { readonly asJob: AsJob }) {
  return {
    'storage-migrate': operation(input, async (wish, context) => {
      const payload = {
        ...{ to: wish.to, remove_source: String(wish.remove_source) },
        verify: String(wish.verify),
      }
      return await use.asJob(
        {
          // One at a time, whichever way it goes.
          ...{ kind: MOVE_BLOBS, payload, name: 'one' },
          handler: async (_job, { signal, tell }) =>
            await move(use, { ...wish, signal, progress: tell }),
        },
        context,
      )
    }),
  }
}
