import type { IndexHash } from '../keys/index-hash.js'

const extensions: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/heic': 'heic',
  'image/tiff': 'tiff',
  'image/webp': 'webp',
  'text/plain': 'txt',
  'text/csv': 'csv',
  'application/dicom': 'dcm',
  'application/zip': 'zip',
  'application/vnd.oasis.opendocument.text': 'odt',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
}

export interface KeyFacts {
  readonly fileId: string
  readonly contentType: string
  readonly at: Date
}

/** What a person's or a patient's keys begin with: says who to nobody without the index key. */
function folderOf(hash: Pick<IndexHash, 'of'>, ownerId: string): string {
  return hash.of('document-key', ownerId).toString('hex').slice(0, 32)
}

/** `patients/<keyed hash>/YYYY/MM/<id>.<ext>`; of a person without a patient `people/…`. */
export function clinicalKey(
  hash: Pick<IndexHash, 'of'>,
  owner: { readonly id: string; readonly isPatient: boolean },
  { fileId, contentType, at }: KeyFacts,
): string {
  const [year, month] = at.toISOString().split('-')
  const place = `${owner.isPatient ? 'patients' : 'people'}/${folderOf(hash, owner.id)}`
  return `${place}/${year}/${month}/${fileId}${extensionOf(contentType)}`
}

/** `uploads/<id>.<ext>` */
export function plainKey({ fileId, contentType }: KeyFacts): string {
  return `uploads/${fileId}${extensionOf(contentType)}`
}

/** Of the type, never of the name a client gave. */
function extensionOf(contentType: string): string {
  const extension = extensions[contentType]
  return extension === undefined ? '' : `.${extension}`
}
