import t from 'tap'
import { pdf } from '../acceptance/support/content.js'
import { eventually } from '../acceptance/support/eventually.js'
import { filePart } from '../acceptance/support/multipart.js'
import { filePath, personOf, uploadPath } from '../acceptance/support/people.js'
import { startServer } from '../acceptance/support/server.js'
import { ownCluster } from './support/own-cluster.js'

// What a failover looks like from here: the server that answers at the same address only reads for a
// while. Its rows may be older than what was granted or revoked, so nothing is answered from them.

void t.test('a standby is not taken; once it writes, all is well without a start', async (t) => {
  const cluster = await ownCluster()
  const server = await startServer({ DATABASE_URL: cluster.url })
  t.teardown(async () => {
    await server.close()
    await cluster.close()
  })
  const anna = personOf(server, 'anna')
  const before = pdf('before the failover')
  const path = filePath(await anna.file(before))
  await cluster.stop('fast')
  await cluster.put('standby.signal', '')
  await cluster.start()
  const refused = { status: 503, body: { code: 'database_unavailable' } }
  t.match(await anna.get(path), refused, 'rows that may be old release nothing')
  t.match(await anna.get('/api/files/user'), refused, 'and list nothing')
  const upload = await anna.form(uploadPath, [filePart(pdf('meanwhile'))])
  t.match(upload, refused)
  t.equal(upload.headers['retry-after'], '5')
  t.equal((await server.call('/health/ready')).status, 503)
  t.match((await server.command('doctor')).out, /a standby, which only reads/)
  t.match(server.logs(), /"code":"STANDBY"/, 'the log says why')
  t.equal((await server.blobs()).length, 1, 'nothing is left behind')
  await cluster.promote()
  await eventually('ready', async () => (await server.call('/health/ready')).status === 200)
  const read = await anna.get(path)
  t.equal(read.status, 200)
  t.ok(before.equals(read.bytes))
  t.equal((await anna.upload(pdf('afterwards'))).status, 201)
  const verified = await server.command('audit', 'verify')
  t.equal(verified.code, 0, verified.out + verified.err)
})
