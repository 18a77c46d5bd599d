import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  /** The body as JSON; an empty object where it is none. */
  readonly json: Readonly<Record<string, unknown>>
}

export interface Person {
  readonly id: string
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  post(path: string, body: FormData | Readonly<Record<string, unknown>>): Promise<Answer>
  remove(path: string): Promise<Answer>
}

/** Where the service is, and what the demo may know of the machine it runs on. */
export const origin = process.env['STRONGROOM_URL'] ?? 'http://127.0.0.1:8006'
export const dataDir = process.env['DATA_DIR'] ?? 'storage'
export const filesDir = process.env['FILE_STORAGE_PATH'] ?? join(dataDir, 'files')

/** The secret of tokens: from the environment, else the development one. */
export async function readSecret(): Promise<string> {
  const given = process.env['JWT_SECRET_KEY'] ?? ''
  if (given !== '') return given
  return (await readFile(join(dataDir, 'keys/jwt.secret'), 'utf8')).trim()
}

/** Someone with a token for half an hour, as a portal would sign it (RFC 7519). */
export function personOf(secret: string, id: string, role: string): Person {
  const token = sign(secret, { sub: id, roles: [role], ...lifetime(1800) })
  const call = async (path: string, init: RequestInit): Promise<Answer> => {
    const headers = { authorization: `Bearer ${token}`, ...(init.headers as object) }
    const response = await fetch(`${origin}${path}`, { ...init, headers })
    const bytes = Buffer.from(await response.arrayBuffer())
    return { status: response.status, headers: response.headers, bytes, json: parse(bytes) }
  }
  return {
    id,
    get: (path, headers = {}) => call(path, { headers }),
    post: (path, body) =>
      body instanceof FormData
        ? call(path, { method: 'POST', body })
        : call(path, {
            method: 'POST',
            body: JSON.stringify(body),
            headers: { 'content-type': 'application/json' },
          }),
    remove: (path) => call(path, { method: 'DELETE' }),
  }
}

function lifetime(seconds: number) {
  const now = Math.floor(Date.now() / 1000)
  return { iat: now, exp: now + seconds }
}

function sign(secret: string, claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

function parse(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
