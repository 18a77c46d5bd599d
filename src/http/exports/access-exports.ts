import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { AccessEntry } from '../../files/access-history.js'
import type { Disclosure } from '../../records/disclosures.js'
import { csvTable } from './csv.js'
import { type PdfTable, pdfTable } from './pdf-table.js'

export type ExportFormat = 'csv' | 'pdf'

/** What a document is about, for its head. */
export interface ExportFacts {
  readonly patientId: string
  readonly from: Date | undefined
  readonly to: Date | undefined
}

const accessColumns = [
  ...(['at', 'last_at', 'requests', 'action', 'outcome', 'reason', 'actor_id'] as const),
  ...(['on_behalf_of', 'roles', 'file_id', 'version', 'bytes', 'basis', 'grant_id'] as const),
  ...(['emergency_id', 'purpose', 'subject_id', 'ip', 'user_agent', 'request_id'] as const),
] as const
const disclosureColumns = [
  ...(['at', 'last_at', 'requests', 'action', 'recipient_id', 'recipient_roles'] as const),
  ...(['disclosed_by', 'on_behalf_of', 'file_id', 'version', 'medical_record_type_id'] as const),
  ...(['basis', 'grant_id', 'emergency_id', 'has_purpose', 'purpose'] as const),
] as const

const column = (title: string, width: number) => ({ title, width })
const when = [column('When (UTC)', 92), column('Times', 28)]
const where = [column('File, version', 158), column('On, for', 155)]
const accessTable = [
  ...[...when, column('Who', 107), column('As', 60)],
  ...[column('What', 95), column('Outcome', 75), ...where],
]
const disclosureTable = [
  ...[...when, column('To whom', 112), column('As', 60)],
  ...[column('What', 90), column('Type', 75), ...where],
]

/** Sends a patient's access log, whole. An error on the way breaks the answer off. */
export async function sendAccessLog(
  reply: FastifyReply,
  format: ExportFormat,
  entries: AsyncIterable<AccessEntry>,
  facts: ExportFacts,
): Promise<void> {
  if (format === 'csv') {
    await sendCsv(reply, 'access-log', csvTable(accessColumns, entries))
    return
  }
  await sendPdf(reply, 'access-log', {
    title: 'Accesses to medical records',
    facts: headOf(facts),
    empty: 'There were none.',
    columns: accessTable,
    rows: accessRows(entries),
  })
}

async function* accessRows(entries: AsyncIterable<AccessEntry>): AsyncGenerator<string[]> {
  for await (const entry of entries) {
    yield [
      ...[timeOf(entry.at), String(entry.requests), personOf(entry.actor_id, entry.on_behalf_of)],
      ...[entry.roles.join(' '), entry.action, words(entry.outcome, entry.reason)],
      ...[placeOf(entry), words(entry.basis, entry.purpose)],
    ]
  }
}

/** Sends an accounting of disclosures, whole. An error on the way breaks the answer off. */
export async function sendDisclosures(
  reply: FastifyReply,
  format: ExportFormat,
  entries: AsyncIterable<Disclosure>,
  facts: ExportFacts,
): Promise<void> {
  if (format === 'csv') {
    await sendCsv(reply, 'disclosures', csvTable(disclosureColumns, entries))
    return
  }
  await sendPdf(reply, 'disclosures', {
    title: 'Accounting of disclosures',
    facts: headOf(facts),
    empty: 'There were none.',
    columns: disclosureTable,
    rows: disclosureRows(entries),
  })
}

async function* disclosureRows(entries: AsyncIterable<Disclosure>): AsyncGenerator<string[]> {
  for await (const entry of entries) {
    const why = entry.purpose ?? (entry.has_purpose ? '(told to the patient)' : null)
    const by = entry.disclosed_by === null ? null : `by ${entry.disclosed_by}`
    yield [
      ...[timeOf(entry.at), String(entry.requests)],
      ...[personOf(entry.recipient_id, entry.on_behalf_of), entry.recipient_roles.join(' ')],
      ...[words(entry.action, by), entry.medical_record_type_id ?? '', placeOf(entry)],
      words(entry.basis, why),
    ]
  }
}

const timeOf = (time: string) => time.slice(0, 19).replace('T', ' ')
const personOf = (id: string, onBehalfOf: string | null) =>
  onBehalfOf === null ? id : `${id} for ${onBehalfOf}`
const words = (...all: readonly (string | null)[]) => all.filter((each) => each !== null).join(': ')
const placeOf = (entry: { readonly file_id: string | null; readonly version: number | null }) =>
  entry.file_id === null
    ? ''
    : `${entry.file_id}${entry.version === null ? '' : `, ${entry.version}`}`

function headOf({ patientId, from, to }: ExportFacts): string[] {
  return [
    `Patient ${patientId}`,
    `From ${from?.toISOString() ?? 'the beginning'} to ${(to ?? new Date()).toISOString()}`,
    'Newest first. Requests of one reading are one line; times are of the first.',
  ]
}

async function sendCsv(
  reply: FastifyReply,
  name: string,
  lines: AsyncIterable<string>,
): Promise<void> {
  reply.header('content-disposition', `attachment; filename="${name}.csv"`)
  await reply.type('text/csv; charset=utf-8; header=present').send(Readable.from(lines))
}

async function sendPdf(reply: FastifyReply, name: string, table: PdfTable): Promise<void> {
  reply.header('content-disposition', `attachment; filename="${name}.pdf"`)
  await reply.type('application/pdf').send(Readable.from(pdfTable(table)))
}
