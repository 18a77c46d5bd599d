#!/usr/bin/env node
import { loadEnvironment } from '../config.js'
import { askSecret } from './ask-secret.js'
import { run } from './program.js'

const line = (stream: NodeJS.WriteStream) => (text: string) => {
  stream.write(`${text}\n`)
}

/** One line that is written over: only where somebody looks at it. */
const status = (stream: NodeJS.WriteStream) =>
  stream.isTTY
    ? (text: string) => {
        stream.write(`\r\u001b[K${text}`)
      }
    : undefined

process.exitCode = await run(process.argv.slice(2), {
  cwd: process.cwd(),
  loadEnvironment,
  out: line(process.stdout),
  err: line(process.stderr),
  status: status(process.stderr),
  askSecret: process.stdin.isTTY
    ? askSecret(process.stdin, (text) => {
        process.stderr.write(text)
      })
    : undefined,
})
