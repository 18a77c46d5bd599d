/**
 * What a use case knows of the database: stores that each run a statement of their own, and a
 * transaction that hands out the same stores bound to it.
 */
export interface Transactions<Stores> {
  readonly stores: Stores
  /**
   * Commits when `work` resolves, rolls back when it throws. `work` touches nothing but the stores it
   * is given, since it may run more than once (serialization failures); no stream, blob store, key
   * provider or HTTP call between BEGIN and COMMIT.
   * @throws StrongroomError `database_unavailable`; `commit_unknown` where the outcome of COMMIT is
   * not known, so that nothing the change may point at may be removed
   */
  transaction<T>(work: (stores: Stores) => Promise<T>): Promise<T>
}
