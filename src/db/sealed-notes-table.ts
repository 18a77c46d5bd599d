import { StrongroomError } from '../errors/strongroom-error.js'
import type { StoredNote } from '../people/account-ports.js'
import type { Query, Sql } from './database.js'
import { keysTurned } from './grants-table.js'
import { run, touches } from './run.js'

/** The locks wait for whoever erases the person or retires that key, and see what became of it. */
const insert: Query = {
  name: 'sealed-notes-insert',
  text: `with person as (
      select principal_id from principals where principal_id = $3 and shredded_at is null
      for key share
    ), key as (
      select version from user_keys where user_id = $3 and version = $5 for key share
    )
    insert into sealed_notes (note_id, kind, user_id, sealed, user_key_version)
    select $1::uuid, $2, person.principal_id, $4, key.version from person, key
    returning note_id`,
}
const isErased: Query = {
  name: 'sealed-notes-is-erased',
  text: 'select 1 from principals where principal_id = $1 and shredded_at is not null',
}
const remove: Query = {
  name: 'sealed-notes-delete',
  text: 'delete from sealed_notes where note_id = $1',
}

export type NoteKind = 'account' | 'permission' | 'document' | 'folder'

/** Columns of a note `n`, as `toNote` reads them. */
export const noteColumns = `n.note_id as "noteId", n.sealed, n.user_key_version as "userKeyVersion"`

export const toNote = ({ noteId, sealed, userKeyVersion }: StoredNote): StoredNote => ({
  ...{ noteId, sealed, userKeyVersion },
})

/**
 * Notes sealed under a person's key: they go along when the key is turned, and with the person.
 * @throws StrongroomError `person_erased`, `keys_unavailable` where the key was retired meanwhile
 */
export function sealedNotesTable(sql: Sql) {
  return {
    insert: async (kind: NoteKind, userId: string, note: StoredNote): Promise<void> => {
      const made = await touches(sql, insert, [
        ...[note.noteId, kind, userId, note.sealed, note.userKeyVersion],
      ])
      if (made) return
      if (await touches(sql, isErased, [userId])) throw new StrongroomError('person_erased')
      throw keysTurned()
    },
    remove: async (noteId: string): Promise<void> => {
      await run(sql, remove, [noteId])
    },
  }
}
