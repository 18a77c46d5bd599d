import { readPostgresUrl, WrongPostgresUrl } from '../db/postgres-url.js'
import { type Kind, WrongValue } from './kinds.js'

/** Where a PostgreSQL is: a URL that says nothing the service would pass over. */
export const postgresUrl: Kind<string> = (value) => {
  try {
    readPostgresUrl(value)
    return value
  } catch (error) {
    if (error instanceof WrongPostgresUrl) throw new WrongValue(error.message)
    throw error
  }
}
