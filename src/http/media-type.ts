/** The media type of a `Content-Type`, in lower case and without parameters; empty where there is none (RFC 9110, 8.3.1). */
export function mediaTypeOf(header = ''): string {
  return (header.split(';', 1)[0] ?? '').trim().toLowerCase()
}
