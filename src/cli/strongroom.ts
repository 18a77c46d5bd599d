#!/usr/bin/env node
import { loadEnvironment } from '../config.js'
import { run } from './program.js'

const line = (stream: NodeJS.WriteStream) => (text: string) => {
  stream.write(`${text}\n`)
}

process.exitCode = await run(process.argv.slice(2), {
  cwd: process.cwd(),
  loadEnvironment,
  out: line(process.stdout),
  err: line(process.stderr),
})
