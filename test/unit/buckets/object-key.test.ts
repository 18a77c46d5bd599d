import t from 'tap'
import { objectHashes } from '../../../src/buckets/object-hashes.js'
import {
  folderIn,
  foldersOf,
  nextOnTheWay,
  objectKeyOf,
  parentOf,
} from '../../../src/buckets/object-key.js'
import { FernetKey } from '../../../src/crypto/fernet-key.js'
import { indexHash } from '../../../src/keys/index-hash.js'
import { listableBelow } from '../../../src/people/policy.js'

// Keys of objects and the folders they are in: pure rules.

const refused = { code: 'invalid_field' }

await t.test('a key is taken as it is', (t) => {
  for (const key of [
    'a',
    'a/b c/d.pdf',
    '...',
    '.a',
    'a..',
    'ü/血',
    ' ',
    'a\\b',
    'é'.repeat(512),
  ]) {
    t.equal(objectKeyOf(key), key)
  }
  t.equal(objectKeyOf(`${'f/'.repeat(64)}x`).length, 129)
  t.end()
})

await t.test('or refused', (t) => {
  const bad = [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    'a/..',
    'a/./b',
    'a\0',
    'a\n',
    '\u0085',
  ]
  for (const key of [...bad, '\ud800', 'a'.repeat(1_025), 'é'.repeat(513), `${'f/'.repeat(65)}x`]) {
    t.throws(() => objectKeyOf(key), refused, JSON.stringify(key.slice(0, 20)))
  }
  t.end()
})

await t.test('a prefix is a folder, with or without its slash', (t) => {
  t.equal(folderIn(''), '')
  t.equal(folderIn('a/b/'), 'a/b')
  t.equal(folderIn('a/b'), 'a/b')
  t.equal(folderIn(`${'a'.repeat(1_024)}/`).length, 1_024)
  for (const prefix of ['/', '//', 'a//', '/a', '../', 'a/../', 'a\0']) {
    t.throws(() => folderIn(prefix), refused, JSON.stringify(prefix))
  }
  t.end()
})

await t.test('what a key is in', (t) => {
  t.same(foldersOf('a'), [])
  t.same(foldersOf('a/b/c.pdf'), ['a', 'a/b'])
  t.equal(parentOf('a'), '')
  t.equal(parentOf('a/b/c.pdf'), 'a/b')
  t.equal(nextOnTheWay('', 'a/b/c'), 'a')
  t.equal(nextOnTheWay('a', 'a/b/c'), 'a/b')
  t.equal(nextOnTheWay('a/b', 'a/b/c'), 'a/b/c')
  t.end()
})

await t.test('hashes are of one bucket, and of a key or a folder', (t) => {
  const hashes = objectHashes(indexHash(FernetKey.generate()))
  const all = [
    hashes.ofKey('one', 'a/b'),
    hashes.ofKey('two', 'a/b'),
    hashes.ofKey('one', 'a'),
    hashes.ofFolder('one', 'a/b'),
    hashes.ofFolder('two', 'a/b'),
    hashes.ofFolder('one', ''),
    hashes.ofFolder('two', ''),
    hashes.ofFolder('on', 'ea/b'),
  ]
  t.equal(new Set(all.map((each) => each.toString('hex'))).size, all.length)
  t.ok(hashes.ofKey('one', 'a/b').equals(all[0] ?? Buffer.alloc(0)), 'the same again')
  t.end()
})

await t.test('the way to what may be listed', (t) => {
  const none = { canRead: true, canWrite: true, canDelete: true, canList: false }
  const terms = (prefix: string, canList = true) => ({ ...none, prefix, canList })
  const permissions = [terms('a/b/'), terms('a/c.pdf'), terms('ab/c'), terms('a/d', false)]
  t.same(listableBelow('', permissions), ['a/b', 'a/c.pdf', 'ab/c'])
  t.same(listableBelow('a', permissions), ['a/b', 'a/c.pdf'])
  t.same(listableBelow('a/b', permissions), [], 'that is the folder itself')
  t.same(listableBelow('a/d', permissions), [])
  t.same(listableBelow('', [terms('')]), [])
  t.end()
})
