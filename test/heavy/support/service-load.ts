import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { Answer } from '../../acceptance/support/http.js'
import {
  type Form,
  fields,
  filePart,
  multipart,
  type Part,
} from '../../acceptance/support/multipart.js'
import { recordUploadPath, uploadPath } from '../../acceptance/support/people.js'
import type { Durations, RequestKind } from './service-kinds.js'
import {
  apply,
  bytesOf,
  type Change,
  type Client,
  type Content,
  digestOf,
  downloadPathOf,
  type Item,
  newItem,
  pathOf,
  type State,
} from './service-model.js'

/** An upload as it was sent, to be sent once more. */
export interface Upload {
  readonly client: Client
  readonly content: Content
  readonly sha256: string
  readonly filename: string
  readonly label: string
  /** Its Idempotency-Key, where it has one. */
  readonly key: string | undefined
  readonly fieldsFirst: boolean
}

/** A request that is under way. */
export interface Flight {
  readonly what: Change | 'read'
  readonly upload?: Upload
}

/** What happens between two kills. */
export interface Round {
  readonly number: number
  readonly random: () => number
  /** The record type of all records. */
  readonly type: string
  /** Deleted files are destroyed at once. */
  readonly isFinal: boolean
  readonly durations: Durations
  /** A client waits at most so long before its next request. */
  readonly pauseMs: number
  /** Requests without an answer. */
  readonly flights: Set<Flight>
  /** Changes that were answered with success. */
  acknowledged: number
  /** Set at the moment of the kill. */
  isOver: boolean
  /** Answers that should not have been. */
  readonly problems: string[]
}

const KiB = 1024
const segment = 64 * KiB

/** Sends, and keeps book of what has no answer. Undefined where none came. */
async function flight(
  round: Round,
  facts: Flight,
  expected: number,
  send: () => Promise<Answer>,
): Promise<Answer | undefined> {
  round.flights.add(facts)
  const begun = performance.now()
  let answer: Answer
  try {
    answer = await send()
  } catch (error) {
    if (!round.isOver) round.problems.push(`${facts.what} broke before the kill: ${String(error)}`)
    return undefined
  }
  round.flights.delete(facts)
  const kind = facts.what === 'delete' && round.isFinal ? 'purge' : facts.what
  round.durations.note(kind, performance.now() - begun)
  if (answer.status === expected) return answer
  round.problems.push(`${facts.what}: ${answer.status} ${answer.text.slice(0, 300)}`)
  return undefined
}

function sizeOf(random: () => number): number {
  const draw = random()
  if (draw < 0.3) return 10 * KiB
  if (draw < 0.4) return segment
  if (draw < 0.5) return 32 + Math.floor(random() * 2 * segment)
  return 2 * segment + Math.floor(random() * 10 * segment)
}

let drawn = 0
const freshContent = (size: number): Content => ({ seed: `content ${++drawn}`, size })

function partOf(content: Content, filename: string): Part {
  const facts =
    content.size === 0 ? { filename, type: 'text/plain' } : { filename, type: 'application/pdf' }
  return filePart(bytesOf(content), facts)
}

/** The form at once, or in pieces with pauses between them. */
function bodyOf({ isSlow }: Client, { body }: Form): Buffer | Readable {
  if (!isSlow) return body
  const pieces = Math.min(12, Math.ceil(body.length / (16 * KiB)))
  const size = Math.ceil(body.length / pieces)
  async function* slowly() {
    for (let at = 0; at < body.length; at += size) {
      yield body.subarray(at, at + size)
      await wait(15)
    }
  }
  return Readable.from(slowly())
}

async function sendForm(
  client: Client,
  path: string,
  parts: readonly Part[],
  more: { readonly method: string; readonly key?: string | undefined },
): Promise<Answer> {
  const form = multipart(parts)
  return await client.uploader.call(path, {
    method: more.method,
    headers: {
      ...form.headers,
      'content-length': String(form.body.length),
      ...(more.key === undefined ? {} : { 'idempotency-key': more.key }),
    },
    body: bodyOf(client, form),
  })
}

/** Sends an upload, the first time or again. */
export async function sendUpload(upload: Upload, type: string): Promise<Answer> {
  const { client, content, filename, label, key, fieldsFirst } = upload
  const isRecord = client.kind === 'record'
  const told = fields({
    label,
    ...(isRecord ? { patient_id: client.owner.id, medical_record_type_id: type } : {}),
  })
  const file = partOf(content, filename)
  const parts = fieldsFirst ? [...told, file] : [file, ...told]
  const path = isRecord ? recordUploadPath : uploadPath
  return await sendForm(client, path, parts, { method: 'POST', key })
}

/** The file as an answered upload makes it. */
export const stateOf = ({ content, sha256, filename, label }: Upload): State => ({
  isLive: true,
  filename,
  label,
  versions: [{ sha256, size: content.size }],
  isShared: false,
})

async function upload(round: Round, client: Client): Promise<void> {
  const { random } = round
  const isEmpty = random() < 0.2 && client.items.every(({ state }) => state.versions[0]?.size !== 0)
  const content = freshContent(isEmpty ? 0 : sizeOf(random))
  const facts: Upload = {
    client,
    content,
    sha256: digestOf(content),
    filename: `${content.seed}.${isEmpty ? 'txt' : 'pdf'}`,
    label: `label of ${content.seed}`,
    key: random() < 0.5 ? `key-${content.seed.replace(' ', '-')}` : undefined,
    fieldsFirst: random() < 0.5,
  }
  const answer = await flight(round, { what: 'upload', upload: facts }, 201, () =>
    sendUpload(facts, round.type),
  )
  const id = answer?.body.file_id
  if (id === undefined) return
  round.acknowledged++
  newItem(client, id, stateOf(facts), round.number)
}

/** Asks for a change of one file; what comes of it without an answer is in doubt. */
async function change(
  round: Round,
  item: Item,
  wish: { what: Change; next: State; expected?: number; send: () => Promise<Answer> },
): Promise<void> {
  const { what, next, expected = 200, send } = wish
  item.round = round.number
  item.doubt = { change: what, next }
  if (what === 'delete' && round.isFinal) item.isFinal = true
  const answer = await flight(round, { what }, expected, send)
  if (answer === undefined) return
  round.acknowledged++
  apply(item, what, next)
}

async function addVersion(round: Round, item: Item): Promise<void> {
  const content = freshContent(sizeOf(round.random))
  const filename = `${content.seed}.pdf`
  const version = { sha256: digestOf(content), size: content.size }
  const { state } = item
  await change(round, item, {
    what: 'version_add',
    next: { ...state, filename, versions: [...state.versions, version] },
    send: () =>
      sendForm(item.client, `${pathOf(item)}/content`, [partOf(content, filename)], {
        method: 'PUT',
      }),
  })
}

async function update(round: Round, item: Item): Promise<void> {
  const name = `name ${++drawn}`
  const wish = { filename: `${name}.pdf`, label: name }
  await change(round, item, {
    what: 'update',
    next: { ...item.state, ...wish },
    send: () => item.client.uploader.patch(`${pathOf(item)}/metadata`, wish),
  })
}

async function shareOrRevoke(round: Round, item: Item): Promise<void> {
  const { isShared } = item.state
  const { uploader, guest } = item.client
  const path = `${pathOf(item)}/grants`
  await change(round, item, {
    what: isShared ? 'revoke' : 'grant',
    next: { ...item.state, isShared: !isShared },
    expected: isShared ? 200 : 201,
    send: () =>
      isShared
        ? uploader.delete(`${path}/${guest.id}`)
        : uploader.post(path, { user_id: guest.id }),
  })
}

async function deleteOrRestore(round: Round, item: Item): Promise<void> {
  const { isLive } = item.state
  const { uploader } = item.client
  const path = pathOf(item)
  await change(round, item, {
    what: isLive ? 'delete' : 'restore',
    next: { ...item.state, isLive: !isLive },
    send: () => (isLive ? uploader.delete(`${path}/delete`) : uploader.post(`${path}/restore`)),
  })
}

async function read(round: Round, item: Item): Promise<void> {
  await flight(round, { what: 'read' }, 200, () => item.client.owner.get(downloadPathOf(item)))
}

/** Something of the client's to change, sometimes of the round before. */
function choose(round: Round, client: Client, isLive: boolean): Item | undefined {
  const from = round.random() < 0.2 ? client.former : client
  const items = from?.items.filter((item) => {
    return item.state.isLive === isLive && !item.isFinal && item.doubt === undefined
  })
  return items?.[Math.floor(round.random() * items.length)]
}

async function step(round: Round, client: Client): Promise<void> {
  const draw = round.random()
  const item = choose(round, client, draw < 0.95)
  if (item === undefined || draw < 0.55) await upload(round, client)
  else if (draw < 0.65) await addVersion(round, item)
  else if (draw < 0.75) await update(round, item)
  else if (draw < 0.84) await deleteOrRestore(round, item)
  else if (draw < 0.93 && client.kind === 'record') await shareOrRevoke(round, item)
  else if (draw < 0.95) await read(round, item)
  else await deleteOrRestore(round, item)
}

/** One request after another, until the kill. */
export async function work(round: Round, client: Client): Promise<void> {
  while (!round.isOver && round.problems.length === 0) {
    await step(round, client)
    if (round.pauseMs > 0) await wait(round.random() * round.pauseMs)
  }
}

const fits: Readonly<Record<RequestKind, (state: State) => boolean>> = {
  upload: () => true,
  version_add: ({ isLive }) => isLive,
  update: ({ isLive }) => isLive,
  delete: ({ isLive }) => isLive,
  purge: ({ isLive }) => isLive,
  restore: ({ isLive }) => !isLive,
  grant: ({ isLive, isShared }) => isLive && !isShared,
  revoke: ({ isLive, isShared }) => isLive && isShared,
}

/** How a request of this kind is made; nothing where first something was done that it needs. */
export async function ask(
  round: Round,
  client: Client,
  kind: RequestKind,
): Promise<(() => Promise<void>) | undefined> {
  if (kind === 'upload') return () => upload(round, client)
  const items = client.items.filter(({ isFinal, doubt }) => !isFinal && doubt === undefined)
  const item = items.find(({ state }) => fits[kind](state))
  if (item === undefined) {
    const live = items.find(({ state }) => state.isLive)
    if (live === undefined) await upload(round, client)
    else if (kind === 'restore') await deleteOrRestore(round, live)
    else await shareOrRevoke(round, live)
    return undefined
  }
  if (kind === 'version_add') return () => addVersion(round, item)
  if (kind === 'update') return () => update(round, item)
  if (kind === 'grant' || kind === 'revoke') return () => shareOrRevoke(round, item)
  return () => deleteOrRestore(round, item)
}
