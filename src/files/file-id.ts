const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu

/** Whether `text` is written as our ids are: others are not there, and never reach the database. */
export function isFileId(text: string): boolean {
  return uuid.test(text)
}
