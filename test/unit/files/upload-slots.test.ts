import t from 'tap'
import { uploadSlots } from '../../../src/files/upload-slots.js'

await t.test('so many at once, and one more when one has ended, however', async (t) => {
  const slots = uploadSlots(2)
  const ends: ((error?: Error) => void)[] = []
  const start = async () =>
    await slots.run(
      () =>
        new Promise<string>((resolve, reject) => {
          ends.push((error) => {
            if (error === undefined) resolve('done')
            else reject(error)
          })
        }),
    )
  const first = start()
  const second = start()
  await t.rejects(start(), { code: 'too_many_uploads', retryAfter: 2 })
  t.equal(ends.length, 2, 'the third never began')
  ends[0]?.()
  t.equal(await first, 'done')
  const third = start()
  await t.rejects(start(), { code: 'too_many_uploads' })
  ends[1]?.(new Error('broken'))
  await t.rejects(second, { message: 'broken' })
  ends[2]?.()
  t.equal(await third, 'done')
  const thrown = slots.run(() => {
    throw new Error('at once')
  })
  await t.rejects(thrown, { message: 'at once' })
  const again = [start(), start()]
  for (const end of ends.slice(3)) end()
  t.strictSame(await Promise.all(again), ['done', 'done'], 'both slots were given back')
})
