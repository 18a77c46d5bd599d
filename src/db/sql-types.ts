import pg from 'pg'

const { builtins } = pg.types
const INT8_ARRAY = 1016

/** Values arrive as text; these differ from the driver's defaults (see `Sql`). */
const parsers = new Map<number, (text: string) => unknown>([
  [builtins.INT8, toSafeInteger],
  [INT8_ARRAY, toSafeIntegers],
  [builtins.DATE, asText],
  [builtins.TIMESTAMP, asText],
])

/** Type parsers of one connection; the driver's global ones stay untouched. */
export const sqlTypes: pg.CustomTypesConfig = {
  getTypeParser(...[oid, format]: Parameters<typeof pg.types.getTypeParser>) {
    const own = format === 'binary' ? undefined : parsers.get(oid)
    return own ?? (pg.types.getTypeParser(oid, format) as (text: string) => unknown)
  },
}

function asText(text: string): string {
  return text
}

function toSafeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError('An int8 is past 2^53 − 1')
  return value
}

function toSafeIntegers(text: string): (number | null)[] {
  const items = text.slice(1, -1)
  if (items === '') return []
  return items.split(',').map((item) => (item === 'NULL' ? null : toSafeInteger(item)))
}
