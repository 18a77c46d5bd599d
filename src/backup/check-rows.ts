import { isStrongroomError } from '../errors/strongroom-error.js'
import type { KeyProvider } from '../keys/key-provider.js'
import type { KeptRow } from './ports.js'

/** Rows whose wrapping names its use and nothing else. Others are kept, but not tried. */
const openable = ['check', 'index-key'] as const

/** Those of the rows that the provider's master keys do not open. */
export async function rowsThatStayShut(
  provider: Pick<KeyProvider, 'unwrap'>,
  rows: readonly KeptRow[],
): Promise<KeptRow[]> {
  const shut: KeptRow[] = []
  for (const row of rows) {
    const use = openable.find((each) => each === row.use)
    if (use !== undefined && !(await opens(provider, row.wrapped, use))) shut.push(row)
  }
  return shut
}

async function opens(
  provider: Pick<KeyProvider, 'unwrap'>,
  wrapped: string,
  use: (typeof openable)[number],
): Promise<boolean> {
  try {
    const key = await provider.unwrap(wrapped, { use })
    key.destroy()
    return true
  } catch (error) {
    if (isStrongroomError(error, 'damaged')) return false
    throw error
  }
}
