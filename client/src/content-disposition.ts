/** The file name in a `Content-Disposition` (RFC 6266): the one in UTF-8, else the plain one. */
export function filenameIn(header: string | null): string | undefined {
  const [, encoded] = /filename\*=UTF-8''([^;\s]+)/i.exec(header ?? '') ?? []
  if (encoded !== undefined) {
    try {
      return decodeURIComponent(encoded)
    } catch {
      // Not UTF-8: the plain one then.
    }
  }
  return /filename="([^"]*)"/i.exec(header ?? '')?.[1]
}
