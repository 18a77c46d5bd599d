import { sha256 } from '../../acceptance/support/content.js'
import { type Answer, type Body, listOf } from '../../acceptance/support/http.js'
import type { Person } from '../../acceptance/support/people.js'
import { type Round, sendUpload, stateOf, type Upload } from './service-load.js'
import {
  apply,
  type Client,
  downloadPathOf,
  type Item,
  listPathOf,
  newItem,
  pathOf,
  readersOf,
  tells,
} from './service-model.js'

/** What does not hold, in words. All of them empty: all is well. */
export interface Findings {
  /** Answered with success and not so. */
  readonly lost: string[]
  /** Neither as before an unanswered request nor as after it. */
  readonly half: string[]
  /** A repeated upload that did not come to exactly one file. */
  readonly repeats: string[]
}

export interface Settled extends Findings {
  /** Unanswered requests that turned out to be carried out. */
  readonly carriedOut: number
}

const atATime = 8

async function each<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const queue = [...all]
  const worker = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await work(one)
  }
  await Promise.all(Array.from({ length: atATime }, worker))
}

const said = ({ status, text }: Answer) => `${status} ${text.slice(0, 200)}`

async function listAll(who: Person, path: string): Promise<Body[]> {
  const entries: Body[] = []
  for (let cursor = ''; ; ) {
    const answer = await who.get(`${path}?limit=200${cursor}`)
    if (answer.status !== 200) throw new Error(`The list ${path}: ${said(answer)}`)
    entries.push(...listOf(answer))
    const next = answer.body.next_cursor
    if (next === null || next === undefined) return entries
    cursor = `&cursor=${encodeURIComponent(next)}`
  }
}

/**
 * After a restart: finds out what became of requests without an answer, sends their uploads once
 * more, and verifies all that was touched since the kill before. `waiting` are uploads whose
 * repetition was told that the first is still under way; they are tried again each time.
 */
export async function settle(
  round: Round,
  clients: readonly Client[],
  waiting: Set<Upload>,
): Promise<Settled> {
  const findings: Findings = { lost: [], half: [], repeats: [] }
  let carriedOut = 0
  const unanswered = [...round.flights].flatMap(({ upload }) => upload ?? [])
  await each(unanswered, async (upload) => {
    const item = await adopt(upload, round.number)
    if (item !== undefined) carriedOut++
    await repeat(upload, item, { round, waiting, findings })
  })
  await each(
    [...waiting].filter((upload) => !unanswered.includes(upload)),
    (upload) => repeat(upload, undefined, { round, waiting, findings }),
  )
  const all = clients.flatMap(({ items }) => items)
  const touched = all.filter((item) => item.round === round.number)
  await each(touched, async (item) => {
    if (await resolve(item, findings)) carriedOut++
  })
  const concerned = clients.filter((client) => client.items.some((item) => touched.includes(item)))
  await verify(concerned, touched, findings)
  return { ...findings, carriedOut }
}

/** The file of an upload without an answer, where it is in its owner's list. */
async function adopt(upload: Upload, round: number): Promise<Item | undefined> {
  const { client } = upload
  const known = new Set(client.items.map(({ id }) => id))
  const state = stateOf(upload)
  const found = (await listAll(client.owner, listPathOf(client))).find(
    (entry) => !known.has(entry.file_id ?? '') && tells(entry, state),
  )
  return found?.file_id === undefined ? undefined : newItem(client, found.file_id, state, round)
}

/** The same request again: the first answer, or the file it had no time to make. Never a second one. */
async function repeat(
  upload: Upload,
  item: Item | undefined,
  context: { round: Round; waiting: Set<Upload>; findings: Findings },
): Promise<void> {
  const { round, waiting, findings } = context
  const mayWait = item === undefined && upload.key !== undefined
  const answer = await sendUpload(upload, round.type).catch((error: unknown) => {
    // Refused before its body was read, and closed before the answer was: as a client does, once more.
    if (mayWait) return undefined
    throw error
  })
  if (answer === undefined) {
    waiting.add(upload)
    return
  }
  const { code, file_id: id } = answer.body
  if (mayWait && code === 'in_progress') {
    waiting.add(upload)
    return
  }
  waiting.delete(upload)
  const expected = item === undefined || upload.key !== undefined ? 201 : 409
  if (answer.status !== expected || id === undefined || (item !== undefined && item.id !== id)) {
    const before = item === undefined ? 'nothing' : item.id
    findings.repeats.push(`${upload.content.seed}: ${before} was there, then ${said(answer)}`)
    return
  }
  if (item === undefined) newItem(upload.client, id, stateOf(upload), round.number)
}

/** Whether the change in doubt took place. */
async function resolve(item: Item, findings: Findings): Promise<boolean> {
  const { doubt, state } = item
  if (doubt === undefined) return false
  const answer = await item.client.uploader.get(`${pathOf(item)}/metadata`)
  const isShared = await isSharedNow(item, state.isShared)
  const holds = (one: typeof state) =>
    one.isShared === isShared && (one.isLive ? tells(answer.body, one) : answer.status === 404)
  const took = holds(doubt.next)
  if (took) apply(item, doubt.change, doubt.next)
  else if (!holds(state)) findings.half.push(`${doubt.change} of ${item.id}: ${said(answer)}`)
  item.doubt = undefined
  if (item.state.isLive) item.isFinal = false
  return took
}

async function isSharedNow(item: Item, before: boolean): Promise<boolean> {
  const { doubt, client } = item
  if (doubt?.change !== 'grant' && doubt?.change !== 'revoke') return before
  const grants = listOf(await client.owner.get(`${pathOf(item)}/grants`))
  return grants.some((grant) => grant.user_id === client.guest.id)
}

/** Lists name exactly what there is; all of `items` opens, or does not, to whom it should. */
export async function verify(
  clients: readonly Client[],
  items: readonly Item[],
  findings: Findings,
): Promise<void> {
  await each(clients, async (client) => {
    await verifyLists(client, findings)
  })
  await each(items, async (item) => {
    const wrong = item.state.isLive ? await wrongOfLive(item) : await wrongOfDeleted(item)
    for (const what of [...wrong, ...(await wrongOfLog(item))]) {
      findings.lost.push(`${item.client.kind} ${item.id}: ${what}`)
    }
  })
}

async function verifyLists(client: Client, { lost }: Findings): Promise<void> {
  const { owner, uploader, guest } = client
  for (const who of new Set([owner, uploader, guest])) {
    const listed = new Map(
      (await listAll(who, listPathOf(client))).map((entry) => [entry.file_id, entry]),
    )
    for (const item of client.items) {
      if (!item.state.isLive || !readersOf(item).includes(who)) continue
      const entry = listed.get(item.id)
      listed.delete(item.id)
      if (entry !== undefined && tells(entry, item.state)) continue
      lost.push(`${client.kind} ${item.id} in the list of ${who.id}: ${JSON.stringify(entry)}`)
    }
    for (const id of listed.keys()) lost.push(`${id ?? ''} is in the list of ${who.id}`)
  }
}

async function wrongOfLive(item: Item): Promise<string[]> {
  const { client, state } = item
  const path = downloadPathOf(item)
  const wrong: string[] = []
  const opens = async (who: Person, suffix: string, version: State) => {
    const answer = await who.get(`${path}${suffix}`)
    const { bytes, status } = answer
    if (status === 200 && bytes.length === version.size && sha256(bytes) === version.sha256) return
    wrong.push(`${who.id} gets ${status}, ${bytes.length} of ${version.size} bytes`)
  }
  for (const [index, version] of state.versions.entries()) {
    const isCurrent = index === state.versions.length - 1
    if (!isCurrent) await opens(client.owner, `?version=${index + 1}`, version)
    else for (const who of readersOf(item)) await opens(who, '', version)
  }
  if (!readersOf(item).includes(client.guest)) {
    const { status } = await client.guest.get(path)
    if (status !== 403 && status !== 404) wrong.push(`${client.guest.id} gets ${status}`)
  }
  return wrong
}

type State = Item['state']['versions'][number]

async function wrongOfDeleted(item: Item): Promise<string[]> {
  const { owner, uploader } = item.client
  const wrong: string[] = []
  for (const who of new Set([owner, uploader])) {
    for (const path of [downloadPathOf(item), `${pathOf(item)}/metadata`]) {
      const { status } = await who.get(path)
      if (status !== 404) wrong.push(`${who.id} gets ${status} after it was deleted`)
    }
  }
  return wrong
}

/** Exactly one event for each change; of what is destroyed the log may be gone. */
async function wrongOfLog(item: Item): Promise<string[]> {
  const { client, events, isFinal, state } = item
  const answer = await client.owner.get(`${pathOf(item)}/access-log?limit=200`)
  if (isFinal && !state.isLive && answer.status === 404) return []
  const told = listOf(answer).filter(({ outcome }) => outcome === 'success')
  return [...events].flatMap(([change, count]) => {
    const found = told.filter(({ action }) => action === `${client.kind}.${change}`).length
    return found === count ? [] : [`${found} events of ${change} in its log, not ${count}`]
  })
}
