/**
 * The closed list of audit actions: what each means is in docs/AUDIT-EVENTS.md, which a test holds
 * against this list. An action may be added, never changed in meaning.
 */
export const auditActions = [
  'auth.refused',
  'auth.refused_summary',
  'auth.login',
  'auth.renew',
  'auth.logout',
  'auth.password_change',
  'auth.password_upgrade',
  'auth.totp_begin',
  'auth.totp_set',
  'auth.totp_remove',
  'file.upload',
  'file.view',
  'file.download',
  'file.head',
  'file.not_modified',
  'file.check',
  'file.list',
  'file.metadata_read',
  'file.update',
  'file.version_add',
  'file.versions_list',
  'file.delete',
  'file.restore',
  'file.purge',
  'file.reseal',
  'file.shred',
  'file.access_log_read',
  'file.read_broken_off',
  'record.upload',
  'record.view',
  'record.download',
  'record.head',
  'record.not_modified',
  'record.list',
  'record.metadata_read',
  'record.update',
  'record.version_add',
  'record.versions_list',
  'record.delete',
  'record.restore',
  'record.purge',
  'record.reseal',
  'record.shred',
  'record.access_log_read',
  'record.read_broken_off',
  'record.grants_list',
  'record.grant',
  'record.revoke',
  'record.team_grant',
  'patient.access_log_read',
  'patient.disclosures_read',
  'document.presign',
  'document.receive',
  'document.upload',
  'document.discard',
  'document.list',
  'bucket.list',
  'object.presign',
  'object.upload',
  'object.delete',
  'object.list',
  'ticket.issue',
  'ticket.refused',
  'ticket.end',
  'emergency.request',
  'emergency.end',
  'emergency.review',
  'emergency.list',
  'record_type.create',
  'record_type.update',
  'record_type.delete',
  'assignment.list',
  'assignment.create',
  'assignment.end',
  'account.create',
  'account.list',
  'account.read',
  'account.update',
  'account.deactivate',
  'permission.list',
  'permission.create',
  'permission.update',
  'permission.delete',
  'person.shred',
  'hold.place',
  'hold.release',
  'storage.sweep',
  'storage.scrub',
  'storage.migrate',
  'database.move',
  'audit.logs_read',
  'audit.my_activity_read',
  'audit.stats_read',
  'audit.broken',
  'audit.verify',
  'audit.export',
  'audit.drop',
  'keys.rewrap',
  'keys.retire',
  'keys.user_rotate',
  'keys.user_rewrap',
  'keys.user_retire',
  'keys.backup',
  'keys.restore',
  'keys.put_back',
  'keys.drill',
  'alert.raised',
  'outbox.replay',
  'outbox.drop',
] as const

export type AuditAction = (typeof auditActions)[number]

export type AuditOutcome = 'success' | 'denied' | 'failed'

/** Who acts and from where: from the verified token and the connection, never from a body. */
export interface Actor {
  /** The person whose relations decide: who calls, or whom a service acts for. */
  readonly userId: string
  /** The service that acts for them; absent: they call in person. */
  readonly service?: string | undefined
  readonly roles: readonly string[]
  readonly ip: string
  /** Capped, without control characters. */
  readonly userAgent: string
  readonly requestId: string
}

/** What happened, in ids and numbers alone. */
export interface AuditFacts {
  readonly action: AuditAction
  readonly outcome: AuditOutcome
  /** Error code, or another word of a closed list, for what was not a plain success. */
  readonly reason?: string | undefined
  readonly fileId?: string | undefined
  /** What is concerned beside a file: a grant's person, a type, an assignment, the ticket of a reading. */
  readonly subjectId?: string | undefined
  readonly patientId?: string | undefined
  readonly grantId?: string | undefined
  readonly version?: number | undefined
  /** Bytes of content served or taken in; a count for summaries. */
  readonly bytes?: number | undefined
  readonly readSession?: string | undefined
  /** The emergency access that this rested on, in place of a grant. */
  readonly emergencyId?: string | undefined
}

export interface AuditEvent extends AuditFacts, Omit<Actor, 'userId' | 'service'> {
  readonly eventId: string
  readonly at: Date
  /** Who called. */
  readonly actorId: string
  /** The person they, a service, acted for. */
  readonly onBehalfOf?: string | undefined
}
