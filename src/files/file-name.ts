const MAX_NAME_BYTES = 255

// Control, bidirectional and invisible format characters, line and paragraph separators.
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu
// Joins emoji and letters of several scripts: the one format character names need.
const zeroWidthJoiners = /[\u200c\u200d]/u

/**
 * A client's file name made fit to be shown: last path component, NFC, no control or bidi
 * characters, at most 255 bytes of UTF-8 with its extension kept; `document` where nothing is left.
 */
export function cleanFileName(name: string | undefined): string {
  const last = (name ?? '').normalize('NFC').split(/[/\\]/u).at(-1) ?? ''
  const seen = last.replace(unseen, (mark) => (zeroWidthJoiners.test(mark) ? mark : '')).trim()
  // What stood between two characters may be gone: they may compose now.
  const kept = seen.normalize('NFC').replace(/^[.\s\u200c\u200d]+$/u, '')
  return kept === '' ? 'document' : shorten(kept)
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  const extension = /\.[\p{L}\p{N}]{1,16}$/u.exec(name)?.[0] ?? ''
  const room = MAX_NAME_BYTES - Buffer.byteLength(extension)
  let stem = ''
  for (const mark of name.slice(0, name.length - extension.length)) {
    if (Buffer.byteLength(stem + mark) > room) break
    stem += mark
  }
  return stem + extension
}
