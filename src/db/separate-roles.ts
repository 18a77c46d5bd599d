import { StrongroomError } from '../errors/strongroom-error.js'
import type { Database, Query } from './database.js'

const currentRole: Query = {
  name: 'roles-current',
  text: `select current_user as role, quote_ident(current_user) as quoted`,
}
/** As the owner, a member of the owner, or a superuser: triggers stop none of them. */
const changesAudit: Query = {
  name: 'roles-change-audit',
  text: `select (r.rolsuper or pg_has_role(r.oid, c.relowner, 'MEMBER')) as may
    from pg_roles r, pg_class c
    where r.rolname = coalesce($1::text, current_user) and c.oid = 'audit_events'::regclass`,
}
/** Rows of the log are written and read through the table, never through its months. */
const rightsOf = (role: string) => `
  grant usage on schema public to ${role};
  grant select, insert, update, delete on all tables in schema public to ${role};
  grant usage, select on all sequences in schema public to ${role};
  revoke insert, update, delete on schema_migrations from ${role};
  revoke update, delete, truncate on audit_events, audit_seals from ${role};
  do $$ declare part text; begin
    for part in select inhrelid::regclass::text from pg_inherits
      where inhparent = 'audit_events'::regclass
    loop execute format('revoke all on %s from %s', part, $role$${role}$role$); end loop;
  end $$;
  revoke all on function audit_make_month(date) from public;
  grant execute on function audit_make_month(date) to ${role};`

/**
 * Gives the role that `runtime` is connected as what the service needs, from the role that owns the
 * tables: rows of every table, and of the audit log only to add and to read.
 * @throws StrongroomError `conflict` where the two are one, or the first can do what the second can
 */
export async function grantRowRights(owner: Database, runtime: Database): Promise<void> {
  const [role] = await runtime.rows<{ role: string; quoted: string }>(currentRole)
  const [owning] = await owner.rows<{ role: string }>(currentRole)
  if (
    role === undefined ||
    role.role === owning?.role ||
    (await canChangeAudit(owner, role.role))
  ) {
    throw new StrongroomError('conflict', {
      detail:
        'The role of DATABASE_URL owns the tables, is a superuser or a member of their owner: ' +
        'DATABASE_OWNER_URL needs another one beside it that is none of these',
    })
  }
  await owner.script(rightsOf(role.quoted))
}

/** Whether the role of this connection can change the audit log, whatever its triggers say. */
export async function mayChangeAudit(database: Database): Promise<boolean> {
  return database.engine !== 'embedded' && (await canChangeAudit(database, null))
}

async function canChangeAudit(database: Database, role: string | null): Promise<boolean> {
  return (await database.rows<{ may: boolean }>(changesAudit, [role]))[0]?.may ?? true
}
