/** What a worker of the embedded database is started with. */
export interface EmbeddedWorkerData {
  /** The cluster's own folder (PGDATA). */
  readonly cluster: string
  /** `create` makes the cluster and ends; `serve` opens it and answers until told to stop. */
  readonly task: 'create' | 'serve'
}

/** To the worker: bytes of the PostgreSQL protocol, whole messages; or the wish to stop. */
export type ToWorker = Uint8Array | 'stop'

/** From the worker: `ready` once, then for each chunk of bytes received one chunk in answer. */
export type FromWorker = Uint8Array | 'ready'
