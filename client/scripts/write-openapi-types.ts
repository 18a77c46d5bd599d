import { writeFile } from 'node:fs/promises'
import { formatted } from './formatted.js'
import { type OpenApi, openapiTypes } from './openapi-types.js'

/** Writes client/src/openapi.ts anew from a running service: its origin is the one argument. */
const origin = process.argv[2] ?? 'http://127.0.0.1:8006'
const answer = await fetch(`${origin}/api/openapi.json`)
const source = openapiTypes((await answer.json()) as OpenApi)
await writeFile(new URL('../src/openapi.ts', import.meta.url), await formatted(source))
