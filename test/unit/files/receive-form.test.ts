import { createHash } from 'node:crypto'
import t from 'tap'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { isStrongroomError } from '../../../src/errors/strongroom-error.js'
import { parseDigestHeader } from '../../../src/files/content-digest.js'
import {
  checkText,
  type IncomingPart,
  receiveForm,
  textOf,
} from '../../../src/files/receive-form.js'
import type { IncomingFile, SealedUpload } from '../../../src/files/seal-incoming.js'

const bytes = Buffer.from('a few bytes')
const sha256 = createHash('sha256').update(bytes).digest()
const hex = sha256.toString('hex')
const otherHex = '0'.repeat(64)
const known = ['label', 'notes', 'sha256', 'record_type_id']

const field = (name: string, value: string): IncomingPart => ({ kind: 'field', name, value })

function file(name = 'file', contentDigest?: string): IncomingPart {
  const content = (async function* () {
    yield await Promise.resolve(bytes)
  })()
  const facts = { filename: 'a.txt', contentType: 'text/plain', contentDigest }
  return { kind: 'file', name, ...facts, bytes: content }
}

/** Reads a form as an upload does; `left` tells what became of what was sealed. */
async function receive(parts: readonly IncomingPart[], headerDigest?: Buffer, broken?: Error) {
  const left = { sealed: 0, closed: 0, discarded: 0, seen: [] as string[], ended: false }
  const seal = async (part: IncomingFile, before: ReadonlyMap<string, string>) => {
    left.sealed += 1
    left.seen = [...before.keys()]
    const chunks: Buffer[] = []
    for await (const chunk of part.bytes) chunks.push(chunk)
    return sealedUpload(Buffer.concat(chunks), part, left)
  }
  const source = (async function* () {
    try {
      for (const part of parts) yield await Promise.resolve(part)
      if (broken !== undefined) throw broken
    } finally {
      left.ended = true
    }
  })()
  const form = receiveForm(source, { known, headerDigest, seal })
  return await form.then(
    ({ fields }) => ({ fields: Object.fromEntries(fields), error: undefined, left }),
    (error: unknown) => ({ fields: undefined, error, left }),
  )
}

function sealedUpload(
  data: Buffer,
  part: IncomingFile,
  left: { closed: number; discarded: number },
): SealedUpload {
  return {
    key: FernetKey.generate(),
    sealedId: '5f0c7f6e-3c1d-4a55-9a37-0b3a6d1c9e01',
    sealedLength: 200,
    segmentSizeLog2: 18,
    size: data.length,
    sha256: createHash('sha256').update(data).digest(),
    contentType: part.contentType,
    filename: part.filename,
    declaredDigest:
      part.contentDigest === undefined ? undefined : parseDigestHeader(part.contentDigest),
    hasIntent: false,
    close: () => {
      left.closed += 1
    },
    discard: () => {
      left.discarded += 1
      return Promise.resolve()
    },
  }
}

await t.test('fields before and after the file', async (t) => {
  const parts = [field('label', 'L'), file(), field('notes', 'N'), field('sha256', hex)]
  const { fields, left } = await receive(parts)
  t.strictSame(fields, { label: 'L', notes: 'N', sha256: hex })
  t.match(left, { sealed: 1, closed: 0, discarded: 0, seen: ['label'], ended: true })
})

await t.test('digests of header, part and field all fit', async (t) => {
  const member = `sha-256=:${sha256.toString('base64')}:`
  const { error } = await receive([file('file', member), field('sha256', hex)], sha256)
  t.equal(error, undefined)
  const empty = await receive([file(), field('sha256', '')])
  t.ok(isStrongroomError(empty.error, 'invalid_field'), 'an empty one is none')
})

const refusals: Record<string, readonly [code: string, parts: IncomingPart[], header?: Buffer]> = {
  'no file': ['file_missing', [field('label', 'L')]],
  nothing: ['file_missing', []],
  'a file of another name': ['unknown_field', [file('document')]],
  'a second file': ['too_many_parts', [file(), file()]],
  'a field not known': ['unknown_field', [field('owner_id', 'x'), file()]],
  'a field not known, after': ['unknown_field', [file(), field('owner_id', 'x')]],
  'a field twice': ['invalid_field', [field('label', 'L'), field('label', 'L'), file()]],
  'a field on both sides': ['invalid_field', [field('label', 'L'), file(), field('label', 'L')]],
  'a label too long': ['invalid_field', [field('label', 'x'.repeat(256)), file()]],
  'notes too long': ['invalid_field', [file(), field('notes', 'x'.repeat(4001))]],
  'another field too long': ['invalid_field', [field('record_type_id', 'x'.repeat(129)), file()]],
  NUL: ['invalid_field', [file(), field('notes', 'a\0b')]],
  'what is no digest': ['invalid_field', [file(), field('sha256', 'g'.repeat(64))]],
  "another's digest": ['digest_mismatch', [file(), field('sha256', otherHex)]],
  "another's digest, before": ['digest_mismatch', [field('sha256', otherHex), file()]],
  "another's digest in the header": ['digest_mismatch', [file()], Buffer.alloc(32)],
  "another's digest in the part": [
    'digest_mismatch',
    [file('file', `sha-256=:${Buffer.alloc(32).toString('base64')}:`), field('sha256', hex)],
  ],
}

for (const [what, [code, parts, header]] of Object.entries(refusals)) {
  await t.test(`${what}: ${code}`, async (t) => {
    const { error, left } = await receive(parts, header)
    t.match(error, { code })
    t.equal(left.closed, left.sealed, 'the key is overwritten')
    t.equal(left.discarded, left.sealed, 'the bytes are discarded')
    t.ok(left.ended, 'the source is let go')
  })
}

await t.test('a body that breaks off after the file leaves nothing', async (t) => {
  const broken = new Error('cut')
  const { error, left } = await receive([file()], undefined, broken)
  t.equal(error, broken)
  t.match(left, { sealed: 1, closed: 1, discarded: 1 })
})

await t.test('texts as long as they may be', (t) => {
  t.doesNotThrow(() => {
    checkText('label', 'x'.repeat(255), 255)
  })
  const fields = new Map([
    ['label', ''],
    ['notes', 'N'],
  ])
  t.equal(textOf(fields, 'label'), null)
  t.equal(textOf(fields, 'notes'), 'N')
  t.equal(textOf(fields, 'sha256'), null)
  t.end()
})
