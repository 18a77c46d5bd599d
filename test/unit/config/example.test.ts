import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import t from 'tap'
import { quote, renderExample } from '../../../src/config/example.js'
import { refusedNames } from '../../../src/config/unavailable.js'
import { variables } from '../../../src/config/variables.js'
import { readConfig } from '../../../src/config.js'

const file = await readFile(new URL('../../../.env.example', import.meta.url), 'utf8')
const named = [...file.matchAll(/^# ([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name)

void t.test('.env.example and the schema name the same variables', (t) => {
  t.same(named, [...variables.keys()])
  t.equal(file, renderExample(), 'renew it with: strongroom config example > .env.example')
  t.end()
})

void t.test('each has a line of help', (t) => {
  for (const [name, { help }] of variables) t.match(help, /^\S.{3,}\S$/, name)
  t.end()
})

void t.test('uncommented, what is available there can be used as it stands', (t) => {
  const env = parseEnv(file.replaceAll(/^# (?=[A-Z][A-Z0-9_]*=)/gm, ''))
  for (const name of refusedNames) Reflect.deleteProperty(env, name)
  // It needs a secret of one's own beside it, of which there is no example.
  Reflect.deleteProperty(env, 'WEBHOOK_URL')
  t.equal(readConfig(env as Record<string, string>).http.port, 8006)
  t.end()
})

void t.test('values are quoted so that they read the same', (t) => {
  for (const value of ['plain', 'two words', `it's`, '{"a": 1}', 'a#b', 'two\nlines', `"it's"`]) {
    t.same(parseEnv(`X=${quote(value)}\n`), { X: value }, value)
  }
  t.end()
})
