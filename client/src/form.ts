/** A form of one part `file`, apart from the file's bytes. */
export interface Form {
  readonly contentType: string
  /** The bytes before the file's: with the fields, and the digest where it is known. */
  before(sha256: string | undefined): Uint8Array
  /** The bytes after it: with the digest where it is known only now. */
  after(sha256: string | undefined): Uint8Array
}

interface FormFacts {
  readonly fields: Readonly<Record<string, string | undefined>>
  readonly filename: string
  readonly type: string
}

const encoder = new TextEncoder()

/**
 * `multipart/form-data` (RFC 7578) as browsers write it. Fields come first, as the service can then refuse before
 * it reads the file.
 */
export function formOf({ fields, filename, type }: FormFacts): Form {
  const boundary = `strongroom-${randomText()}`
  const field = (name: string, value: string | undefined) =>
    value === undefined
      ? ''
      : `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"\r\n\r\n${value}\r\n`
  const file = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${quoted(filename)}"\r\ncontent-type: ${type}\r\n\r\n`
  const described = Object.entries(fields).map(([name, value]) => field(name, value))
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    before: (sha256) => encoder.encode(described.join('') + field('sha256', sha256) + file),
    after: (sha256) => encoder.encode(`\r\n${field('sha256', sha256)}--${boundary}--\r\n`),
  }
}

/** 32 hexadecimal digits, drawn at random. `crypto.randomUUID` is not in pages without TLS. */
export function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** As the WHATWG form encoding has it. */
function quoted(name: string): string {
  return name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22')
}
