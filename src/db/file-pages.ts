import type { DocumentQuery, FileCursor, GrantedQuery, OwnedQuery } from '../files/ports.js'
import type { Query, SqlValue } from './database.js'

// Each filter that is asked for is a condition of its own in the text, and one that is not is not there.
// Written as "$5 is null or ...", it would be no condition an index can serve once PostgreSQL has settled on
// one plan for all values (from the sixth call of a connection on).

/** The files of a page, and the values from `$2` on. */
export interface Page extends Query {
  readonly values: readonly SqlValue[]
}

/** Numbers values as they are named, and names the statement by its filters. */
class Filters {
  readonly values: SqlValue[] = []
  readonly names: string[] = []

  value(value: SqlValue): string {
    this.values.push(value)
    return `$${this.values.length + 1}`
  }

  /** The condition where there is a value, else none. */
  where<T extends SqlValue | FileCursor>(
    name: string,
    value: T | undefined,
    condition: (value: T) => string,
  ): string {
    if (value === undefined) return ''
    this.names.push(name)
    return ` and ${condition(value)}`
  }

  page(name: string, text: string): Page {
    return { name: [name, ...this.names].join('-'), text, values: this.values }
  }
}

/** General files of an owner, newest first. */
export function ownedPage(ownerId: string, { deleted, after, limit }: OwnedQuery): Page {
  const filters = new Filters()
  const text = `select f.file_id from files f
      where f.owner_id = ${filters.value(ownerId)} and f.kind = 'general'
        and f.deleted_at is ${deleted ? 'not null' : 'null'} and f.purged_at is null${past(filters, after, 'f.created_at, f.file_id')}
      order by f.created_at desc, f.file_id desc limit ${filters.value(limit)}`
  return filters.page(`file-entries-${deleted ? 'deleted' : 'live'}`, text)
}

/** Documents that came by a URL of their own, of an owner, newest first; of a patient's those open to `$1` alone. */
export function documentPage({ ownerId, kind, clinicHash, after, limit }: DocumentQuery): Page {
  const filters = new Filters()
  const text = `select d.file_id from documents d join files f on f.file_id = d.file_id
      where d.owner_id = ${filters.value(ownerId)} and d.kind = ${filters.value(kind)}
        and d.state = 'Completed' and f.deleted_at is null and f.purged_at is null
        and exists (select from grants g where g.file_id = d.file_id and ${STANDS} offset 0)${filters.where(
          'clinic',
          clinicHash,
          (value) => `d.clinic_hash = ${filters.value(value)}`,
        )}${past(filters, after, 'd.created_at, d.file_id')}
      order by d.created_at desc, d.file_id desc limit ${filters.value(limit)}`
  return filters.page('file-entries-documents', text)
}

/** Live records that are open to `$1`, newest first: of one patient from their records, else from the grants. */
export function grantedPage(query: GrantedQuery): Page {
  return query.patientId === undefined ? fromGrants(query) : fromPatient(query, query.patientId)
}

const STANDS = `g.user_id = $1 and g.revoked_at is null
        and (g.expires_at is null or g.expires_at > statement_timestamp())`

function fromGrants(query: GrantedQuery): Page {
  const filters = new Filters()
  const columns = { at: 'g.file_created_at', id: 'g.file_id', type: 'g.record_type_id' }
  const text = `select g.file_id from grants g
      where ${STANDS} and g.record_type_id is not null${narrowed(filters, query, columns)}
        and exists (select from files f
          where f.file_id = g.file_id and f.deleted_at is null and f.awaits_until is null)
      group by g.file_created_at, g.file_id
      order by g.file_created_at desc, g.file_id desc limit ${filters.value(query.limit)}`
  return filters.page('file-entries-granted', text)
}

/** `offset 0`: each record is looked up by itself, not in all that is open to the reader. */
function fromPatient(query: GrantedQuery, patientId: string): Page {
  const filters = new Filters()
  const columns = { at: 'f.created_at', id: 'f.file_id', type: 'f.record_type_id' }
  const text = `select f.file_id from files f
      where f.owner_id = ${filters.value(patientId)} and f.kind = 'record'
        and f.deleted_at is null and f.awaits_until is null${narrowed(filters, query, columns)}
        and exists (select from grants g where g.file_id = f.file_id and ${STANDS} offset 0)
      order by f.created_at desc, f.file_id desc limit ${filters.value(query.limit)}`
  return filters.page('file-entries-granted-of-patient', text)
}

/** Types that are left out are compared so that the planner takes them for few, as they are. */
interface Columns {
  readonly at: string
  readonly id: string
  readonly type: string
}

function narrowed(filters: Filters, query: GrantedQuery, { at, id, type }: Columns): string {
  return [
    past(filters, query.after, `${at}, ${id}`),
    filters.where('type', query.recordTypeId, (value) => `${type} = ${filters.value(value)}`),
    filters.where('from', query.from, (value) => `${at} >= ${filters.value(value)}`),
    filters.where('to', query.to, (value) => `${at} <= ${filters.value(value)}`),
    filters.where(
      'except',
      query.exceptTypeIds,
      (value) => `not (${filters.value(value)}::text[] @> array[${type}])`,
    ),
  ].join('')
}

function past(filters: Filters, after: FileCursor | undefined, columns: string): string {
  return filters.where(
    'after',
    after,
    ({ at, id }) =>
      `(${columns}) < (${filters.value(at)}::timestamptz, ${filters.value(id)}::uuid)`,
  )
}
