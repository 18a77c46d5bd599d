export interface Migration {
  /** Four digits and kebab-case words; the order of `migrations`, and of their application. */
  readonly name: string
  /** Statements of PostgreSQL 15, run as one transaction: nothing that must stand outside one. */
  readonly sql: string
}
