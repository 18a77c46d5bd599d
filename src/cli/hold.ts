import type { ExitCode, Terminal } from './context.js'
import { operate } from './operate.js'
import { eitherOf, operatorName } from './operator-name.js'

export interface HoldPlaceOptions {
  readonly file?: string
  readonly person?: string
  readonly reference: string
  readonly by?: string
  readonly json?: boolean
}

export interface HoldReleaseOptions {
  readonly by?: string
  readonly json?: boolean
}

export interface HoldListOptions {
  readonly all?: boolean
  readonly json?: boolean
}

interface Hold {
  readonly hold_id: string
  readonly file_id: string | null
  readonly person_id: string | null
  readonly reference: string
  readonly placed_by: string
  readonly placed_at: string
  readonly released_by: string | null
  readonly released_at: string | null
}

/** `strongroom hold place` */
export async function holdPlaceCommand(
  terminal: Terminal,
  { file, person, reference, by, json }: HoldPlaceOptions,
): Promise<ExitCode> {
  eitherOf(file, person)
  const hold = await operate(terminal, 'hold-place', {
    ...(file === undefined ? {} : { file_id: file }),
    ...(person === undefined ? {} : { person_id: person }),
    reference,
    by: operatorName(by),
  })
  terminal.out(json === true ? JSON.stringify(hold) : lineOf(hold))
  return 0
}

/** `strongroom hold release <id>` */
export async function holdReleaseCommand(
  terminal: Terminal,
  { id, by, json }: HoldReleaseOptions & { readonly id: string },
): Promise<ExitCode> {
  const input = { hold_id: id, by: operatorName(by) }
  const hold = await operate(terminal, 'hold-release', input)
  terminal.out(json === true ? JSON.stringify(hold) : lineOf(hold))
  return 0
}

/** `strongroom hold list` */
export async function holdListCommand(
  terminal: Terminal,
  { all, json }: HoldListOptions,
): Promise<ExitCode> {
  const { holds } = await operate(terminal, 'hold-list', { released_too: all === true })
  if (json === true) terminal.out(JSON.stringify({ holds }))
  else for (const hold of holds) terminal.out(lineOf(hold))
  return 0
}

function lineOf(hold: Hold): string {
  const about = hold.file_id === null ? `person ${String(hold.person_id)}` : `file ${hold.file_id}`
  const placed = `placed by ${hold.placed_by} at ${hold.placed_at}`
  const released =
    hold.released_at === null
      ? ''
      : `; released by ${String(hold.released_by)} at ${hold.released_at}`
  return `${hold.hold_id}  ${about}, for ${hold.reference}; ${placed}${released}`
}
