import { userInfo } from 'node:os'
import { UsageError } from './context.js'

/** Who gives the command: as they say, or as the system knows them. */
export function operatorName(by: string | undefined): string {
  if (by !== undefined) return by
  try {
    return userInfo().username
  } catch {
    throw new UsageError('--by: the system does not know who this is')
  }
}

/** Exactly one of two options was given. */
export function eitherOf(file: string | undefined, person: string | undefined): void {
  if ((file === undefined) === (person === undefined)) {
    throw new UsageError('expected either --file or --person')
  }
}
