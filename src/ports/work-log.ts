/** Ids, numbers and words of closed lists: never a name, a path of a person's, content or a key. */
export type WorkFacts = Readonly<Record<string, string | number | boolean | undefined>>

/** Where rooms say what they did, for the operator: a line each. Pino's logger is one. */
export interface WorkLog {
  info(facts: WorkFacts, message: string): void
  warn(facts: WorkFacts, message: string): void
  /** `err` is serialised without its message, which may repeat what was sent. */
  error(facts: WorkFacts | { readonly err: unknown }, message: string): void
}
