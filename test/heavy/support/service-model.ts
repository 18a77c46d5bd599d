import { pdf, sha256 } from '../../acceptance/support/content.js'
import type { Body } from '../../acceptance/support/http.js'
import { filePath, type Person, recordPath } from '../../acceptance/support/people.js'

/** Bytes that can be made again from this. */
export interface Content {
  readonly seed: string
  readonly size: number
}

export const bytesOf = ({ seed, size }: Content) => (size === 0 ? Buffer.alloc(0) : pdf(seed, size))

export const digestOf = (content: Content) => sha256(bytesOf(content))

/** What the service has said of a file: what must hold from then on. */
export interface State {
  readonly isLive: boolean
  readonly filename: string
  readonly label: string | null
  /** Digest and size of every version, oldest first. */
  readonly versions: readonly { readonly sha256: string; readonly size: number }[]
  /** Whether the guest was given access. */
  readonly isShared: boolean
}

export type Change = 'upload' | 'version_add' | 'update' | 'delete' | 'restore' | 'grant' | 'revoke'

/** A file or record of one client, who alone changes it. */
export interface Item {
  readonly id: string
  readonly client: Client
  state: State
  /** The change that was asked for and not answered, and what it would make of the file. */
  doubt: { readonly change: Change; readonly next: State } | undefined
  /** How many events of each kind its access log must show. */
  readonly events: Map<Change, number>
  /** Deleted for good: no restoring, and its access log may be gone. */
  isFinal: boolean
  /** The last round in which something happened to it. */
  round: number
}

/** Someone who works on what is theirs, one request at a time. */
export interface Client {
  readonly kind: 'file' | 'record'
  /** Whom the files belong to: for records the patient. */
  readonly owner: Person
  readonly uploader: Person
  readonly guest: Person
  /** Uploads arrive in pieces with pauses, so that a kill finds them half sent. */
  readonly isSlow: boolean
  readonly items: Item[]
  /** The same client of the round before: now and then something of theirs is changed. */
  readonly former: Client | undefined
}

export const pathOf = ({ client, id }: Item) =>
  client.kind === 'file' ? filePath(id) : recordPath(id)

export const downloadPathOf = (item: Item) =>
  item.client.kind === 'file' ? pathOf(item) : `${pathOf(item)}/download`

export const listPathOf = ({ kind }: Pick<Client, 'kind'>) =>
  kind === 'file' ? '/api/files/user' : '/api/files/medical-records'

/** Everyone who must be able to open it. */
export function readersOf({ client, state }: Item): Person[] {
  const { owner, uploader, guest } = client
  return [...new Set([owner, uploader, ...(state.isShared ? [guest] : [])])]
}

export const currentOf = ({ versions }: State) => versions[versions.length - 1]

/** Whether an entry of a list, or of metadata, tells exactly this state. */
export function tells(entry: Body, state: State): boolean {
  const current = currentOf(state)
  return (
    state.isLive &&
    entry.filename === state.filename &&
    entry.label === state.label &&
    entry.version === state.versions.length &&
    entry.sha256 === current?.sha256 &&
    entry.size === current?.size
  )
}

/** A change took place: what it made of the file, and one event more. */
export function apply(item: Item, change: Change, next: State): void {
  item.state = next
  item.doubt = undefined
  item.events.set(change, (item.events.get(change) ?? 0) + 1)
}

export function newItem(client: Client, id: string, state: State, round: number): Item {
  const item: Item = {
    id,
    client,
    state,
    doubt: undefined,
    events: new Map([['upload', 1]]),
    isFinal: false,
    round,
  }
  client.items.push(item)
  return item
}
