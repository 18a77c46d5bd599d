import type { ReadStream } from 'node:tty'
import { CommandFailure } from './context.js'

const ENTER = new Set(['\r', '\n'])
const END_OF_INPUT = '\u0004'
const INTERRUPT = '\u0003'
const ERASE = new Set(['\u007f', '\b'])

/**
 * Asks for a secret on a terminal, which shows nothing of what is typed.
 * @throws CommandFailure on Ctrl-C, and where the terminal goes away
 */
export function askSecret(
  input: ReadStream,
  say: (text: string) => void,
): (question: string) => Promise<string> {
  /** What was pasted after the line asked for. */
  let ahead: string[] = []
  return async (question) => {
    input.setRawMode(true)
    input.setEncoding('utf8')
    say(`${question}: `)
    try {
      return await line()
    } finally {
      input.setRawMode(false)
      input.pause()
      say('\n')
    }
  }

  async function line(): Promise<string> {
    const typed: string[] = []
    for (;;) {
      const character = await next()
      if (ENTER.has(character) || character === END_OF_INPUT) return typed.join('')
      if (character === INTERRUPT) throw new CommandFailure('broken off')
      if (ERASE.has(character)) typed.pop()
      else if (character >= ' ') typed.push(character)
    }
  }

  async function next(): Promise<string> {
    while (ahead.length === 0) ahead = Array.from(await chunk())
    return ahead.shift() ?? ''
  }

  function chunk(): Promise<string> {
    return new Promise((resolve, reject) => {
      const onData = (data: string) => {
        input.off('end', onEnd)
        resolve(data)
      }
      const onEnd = () => {
        input.off('data', onData)
        reject(new CommandFailure('the terminal went away'))
      }
      input.once('data', onData).once('end', onEnd).resume()
    })
  }
}
