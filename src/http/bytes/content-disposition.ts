/**
 * `Content-Disposition` with the pair of RFC 6266, appendix D: a plain name for old clients, the true
 * one in UTF-8 percent-encoding.
 */
export function contentDisposition(kind: 'inline' | 'attachment', filename: string): string {
  const plain = filename.replace(/[^\x20-\x7e]/gu, '_').replace(/["\\%]/gu, '_')
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encodeExtended(filename)}`
}

/** RFC 8187: everything but attr-char is percent-encoded. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/gu,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
