import fs, { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { relative } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'

/**
 * The worker of the embedded database with a recorder under it: every change it makes to a file,
 * every fsync, and every COMMIT it answers, in the order in which they happened.
 */
const log = []
const names = new Map()
const { root, port } = workerData.recorder
const inside = (path) => relative(root, path)

function note(entry) {
  log.push(entry)
}

const { openSync, closeSync, writeSync, fsyncSync, ftruncateSync, truncateSync } = fs
const { renameSync, unlinkSync, mkdirSync, rmdirSync, writeFileSync } = fs

fs.openSync = (path, flags, ...rest) => {
  const existed = fs.existsSync(path)
  const fd = openSync(path, flags, ...rest)
  names.set(fd, path)
  const writes = typeof flags === 'number' ? flags : 0
  if (!existed) note({ op: 'create', path: inside(path) })
  else if (writes & fs.constants.O_TRUNC) note({ op: 'size', path: inside(path), size: 0 })
  return fd
}
fs.closeSync = (fd) => {
  closeSync(fd)
  names.delete(fd)
}
fs.writeSync = (fd, buffer, offset, length, position) => {
  const done = writeSync(fd, buffer, offset, length, position)
  if (typeof position !== 'number') throw new Error('a write without a position')
  const data = Buffer.from(new Uint8Array(buffer.buffer, buffer.byteOffset + offset, done))
  note({ op: 'write', path: inside(names.get(fd)), position, data })
  return done
}
fs.fsyncSync = (fd) => {
  fsyncSync(fd)
  note({ op: 'sync', path: inside(names.get(fd)) })
}
fs.ftruncateSync = (fd, size) => {
  ftruncateSync(fd, size)
  note({ op: 'size', path: inside(names.get(fd)), size })
}
fs.truncateSync = (path, size) => {
  truncateSync(path, size)
  note({ op: 'size', path: inside(path), size })
}
fs.renameSync = (from, to) => {
  renameSync(from, to)
  for (const [fd, path] of names) if (path === from) names.set(fd, to)
  note({ op: 'rename', path: inside(from), to: inside(to) })
}
fs.unlinkSync = (path) => {
  unlinkSync(path)
  note({ op: 'unlink', path: inside(path) })
}
fs.mkdirSync = (path, ...rest) => {
  mkdirSync(path, ...rest)
  note({ op: 'mkdir', path: inside(path) })
}
fs.rmdirSync = (path) => {
  rmdirSync(path)
  note({ op: 'rmdir', path: inside(path) })
}
fs.writeFileSync = (path, data, ...rest) => {
  writeFileSync(path, data, ...rest)
  note({ op: 'create', path: inside(path) })
  note({ op: 'write', path: inside(path), position: 0, data: Buffer.from(readFileSync(path)) })
}
for (const name of ['pwritevSync', 'writevSync', 'copyFileSync', 'symlinkSync', 'linkSync']) {
  fs[name] = () => {
    throw new Error(`${name} is not recorded`)
  }
}

syncBuiltinESMExports()

const send = parentPort.postMessage.bind(parentPort)
parentPort.postMessage = (message, transfer) => {
  if (message instanceof Uint8Array && Buffer.from(message).includes('COMMIT\0')) {
    note({ op: 'answer' })
  }
  send(message, transfer)
}
port.on('message', () => port.postMessage(log))
port.unref()

await import('../../dist/db/embedded-worker.js')
