import type { FileKind } from './ports.js'

const prefixes = {
  general: 'file',
  document: 'file',
  record: 'record',
} as const satisfies Record<FileKind, string>

/** The part of an action's name that says which family it belongs to. */
export function actionOf<const Verb extends string>(kind: FileKind, verb: Verb) {
  return `${prefixes[kind]}.${verb}` as const
}
