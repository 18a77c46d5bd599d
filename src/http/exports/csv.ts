/** What a cell may hold; of an array the words, parted by blanks. */
export type CsvValue = string | number | boolean | null | readonly string[]

/** Begins a formula for a spreadsheet: an apostrophe before it makes it text (OWASP, CSV injection). */
const formula = /^[=+\-@\t\r]/

/** A line of CSV (RFC 4180). */
export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(cell).join(',')}\r\n`
}

/** CSV with a line of names. */
export async function* csvTable<Name extends string>(
  columns: readonly Name[],
  entries: AsyncIterable<Readonly<Record<Name, CsvValue>>>,
): AsyncGenerator<string> {
  yield csvLine(columns)
  for await (const entry of entries) yield csvLine(columns.map((name) => entry[name]))
}

function cell(value: CsvValue): string {
  if (value === null) return ''
  const text = typeof value === 'object' ? value.join(' ') : String(value)
  const safe = typeof value !== 'number' && formula.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
