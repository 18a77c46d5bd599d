const maxLength = 128

/** Whether `text` can be a portal's id of a person or type: opaque, 1 to 128 characters, no control ones. */
export function isPortalId(text: string): boolean {
  return text.length > 0 && text.length <= maxLength && !/\p{Cc}/u.test(text)
}
