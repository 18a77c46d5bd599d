import { type Kind, list, WrongValue } from './kinds.js'

/** Short names accepted in ALLOWED_CONTENT_TYPES, and the media types each stands for. */
export const namedContentTypes: Readonly<Record<string, readonly string[]>> = {
  pdf: ['application/pdf'],
  jpeg: ['image/jpeg'],
  png: ['image/png'],
  heic: ['image/heic', 'image/heif'],
  tiff: ['image/tiff'],
  webp: ['image/webp'],
  docx: ['application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  xlsx: ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  odt: ['application/vnd.oasis.opendocument.text'],
  txt: ['text/plain'],
  csv: ['text/csv'],
  dicom: ['application/dicom'],
  zip: ['application/zip'],
}

export const defaultContentTypes: readonly string[] = Object.values(namedContentTypes).flat()

// What runs when it is opened is never kept, whoever asks for it.
const executables =
  /^(?:application\/(?:x-(?:ms-?dos-executable|msdownload|msi|msdos-program|dosexec|executable|elf|mach-binary|sharedlib|sh|shellscript|csh|bat|perl|python|php|httpd-php|java-archive|java-applet|apple-diskimage|debian-package|rpm|msinstaller)|vnd\.(?:microsoft\.portable-executable|android\.package-archive)|java-archive|javascript|ecmascript|hta|wasm|octet-stream)|text\/(?:javascript|ecmascript|x-(?:sh|shellscript|python|perl|php|msdos-batch)|vbscript))$/

const mediaType = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

const oneType: Kind<readonly string[]> = (value) => {
  const type = value.toLowerCase()
  const named = Object.hasOwn(namedContentTypes, type) ? namedContentTypes[type] : undefined
  if (named !== undefined) return named
  if (!mediaType.test(type)) {
    throw new WrongValue(
      `media types such as application/pdf, or ${Object.keys(namedContentTypes).join(', ')}; no wildcards`,
    )
  }
  if (executables.test(type)) throw new WrongValue('no executables, scripts or unnamed bytes')
  return [type]
}

/** Media types (RFC 6838) or the short names above, without wildcards and never executables. */
export const contentTypes: Kind<readonly string[]> = (value) => [
  ...new Set(list(oneType)(value).flat()),
]
