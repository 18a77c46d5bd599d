import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { scrub } from '../../src/files/scrub.js'
import { createMigratedDatabase } from '../helpers/databases.js'
import { type Held, holds, makeService } from '../helpers/service.js'
import { asRoot } from './support/small-disk.js'

// A bad sector, truly: a block of a sealed file is made to lie where its disk (a loop device) has
// nothing, and the kernel answers EIO there. Wants root or sudo, and e2fsprogs.

const block = 4096
const MiB = 1_048_576
const segment = 65_536
const sealedSegment = segment + 105
const header = 32

/** A disk in a file: ext2, so that each block of a file has a place of its own to change. */
async function looped(t: Test) {
  const home = await mkdtemp(join(tmpdir(), 'strongroom-sector-'))
  const image = join(home, 'image')
  const folder = join(home, 'mount')
  await mkdir(folder)
  await writeFile(image, '')
  await truncate(image, 16 * MiB)
  await asRoot(
    'mkfs.ext2',
    '-q',
    '-b',
    `${block}`,
    '-E',
    `root_owner=${process.getuid?.() ?? 0}:0`,
    image,
  )
  let device = ''
  const mount = async () => {
    device = (await asRoot('losetup', '-f', '--show', image)).trim()
    await asRoot('mount', device, folder)
  }
  const unmount = async () => {
    if (device === '') return
    await asRoot('umount', folder)
    await asRoot('losetup', '-d', device)
    device = ''
  }
  t.teardown(async () => {
    await unmount()
    await rm(home, { recursive: true, force: true })
  })
  await mount()
  return {
    folder,
    /** Puts the file's block of this number elsewhere, or says where it is. */
    moved: async (path: string, number: number, to?: number) => {
      await unmount()
      await truncate(image, 16 * MiB)
      const target = to === undefined ? '' : ` ${to}`
      const write = to === undefined ? [] : ['-w']
      const ask = `bmap ${path} ${number}${target}`
      const said = await asRoot('debugfs', ...write, '-R', ask, image)
      await mount()
      return Number(said.trim())
    },
    /** From here on the disk has nothing: reading there fails. */
    endAt: (bytes: number) => truncate(image, bytes),
  }
}

await t.test('a bad sector is named by its segment', { timeout: 120_000 }, async (t) => {
  const disk = await looped(t)
  const test = await createMigratedDatabase('embedded')
  t.teardown(() => test.drop())
  const database = await test.open()
  t.teardown(() => database.close())
  const service = await makeService(database, disk.folder)
  const size = 9 * segment + 100
  const files: Held[] = []
  for (const n of [1, 2, 3]) {
    files.push(await holds(service, `person-${n}`, `${n} `.padEnd(size, 'text ').slice(0, size)))
  }
  const [, bad] = files
  if (bad === undefined) throw new Error('no file')
  const { db, blobs, open: openEntry } = service
  const log = { info: () => undefined, error: () => undefined }
  const run = () => scrub({ db, blobs, openEntry, log })({ bytesPerSecond: 10 ** 10 })
  const path = join(bad.sealedId.slice(0, 2), bad.sealedId.slice(2, 4), bad.sealedId)

  for (const number of [0, 7, 16, 40, 100]) {
    const was = await disk.moved(path, number)
    await disk.moved(path, number, (15.5 * MiB) / block)
    await disk.endAt(15 * MiB)
    const first = (number * block - header) / sealedSegment
    const last = ((number + 1) * block - 1 - header) / sealedSegment
    const under = [...new Set([Math.floor(first), Math.floor(last)])]
    const expected = number === 0 ? [null] : under
    const { checked, bytes, damaged } = await run()
    t.strictSame(
      damaged.map(({ file_id, segment: where, reason }) => [file_id, where, reason]),
      expected.map((where) => [bad.fileId, where, 'unreadable']),
      `block ${number}: ${expected.join(' and ')}`,
    )
    t.equal(checked, 3)
    if (number > 0) t.equal(bytes, 3 * size - under.length * segment, 'all else was opened')
    await disk.moved(path, number, was)
    t.match(await run(), { checked: 3, damaged_files: 0 }, 'the block is back: all is sound')
  }
})
