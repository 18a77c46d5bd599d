import { spacePrefix } from './portal-id.js'

/** Something that belongs to many: it has a key, as a person has, and never a grant on a medical record. */
export type Space =
  | { readonly kind: 'bucket'; readonly name: string }
  | { readonly kind: 'order'; readonly id: string }

/** The principal of a space: an id that is nobody's. Its key is made when it is first used. */
export function spaceIdOf(space: Space): string {
  return `${spacePrefix}${space.kind}|${space.kind === 'bucket' ? space.name : space.id}`
}
