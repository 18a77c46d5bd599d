import type { FileSummary } from '../../../files/file-summary.js'

/** What an upload answers. */
export function created(file: FileSummary) {
  const { file_id, filename, content_type, size, sha256, created_at } = file
  return { file_id, filename, content_type, size, sha256, created_at }
}
