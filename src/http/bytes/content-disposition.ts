/**
 * `Content-Disposition` with the pair of RFC 6266, appendix D: a plain name for old clients, the true
 * one in UTF-8 percent-encoding.
 */
export function contentDisposition(kind: 'inline' | 'attachment', filename: string): string {
  const plain = filename.replace(/[^\x20-\x7e]/gu, '_').replace(/["\\%]/gu, '_')
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encodeExtended(filename)}`
}

/** RFC 8187: everything but attr-char is percent-encoded; half of a surrogate pair has no UTF-8. */
function encodeExtended(text: string): string {
  const wellFormed = text.replace(/\p{Cs}/gu, '\ufffd')
  return encodeURIComponent(wellFormed).replace(
    /['()*]/gu,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
