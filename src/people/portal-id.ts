const maxLength = 128

/** Whether `text` can be a portal's id of a person or type: opaque, 1 to 128 characters, no control ones. */
export function isPortalId(text: string): boolean {
  return text.length > 0 && text.length <= maxLength && !/\p{Cc}/u.test(text)
}

/** Spaces, as buckets and orders, have keys as people have, and ids that no person can have. */
export const spacePrefix = 'space|'

/** Whether `text` can be a person's id: a space's is none. */
export function isPersonId(text: string): boolean {
  return isPortalId(text) && !text.startsWith(spacePrefix)
}
