import { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { EmbeddedWorkerData, FromWorker, ToWorker } from './embedded-protocol.js'

/**
 * The worker always runs as built, also where this module runs from its source: loading a compiler
 * into each thread would cost more than opening the database.
 */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/db/embedded-worker.js' : './embedded-worker.js',
  import.meta.url,
)

/**
 * Bytes of a WebAssembly function that run before the optimizing compiler is set on it: about ten times
 * the default, at which opening the database has half its functions optimized that never run again.
 */
const WASM_TIERING_BUDGET = 20_000_000
setFlagsFromString(`--wasm-tiering-budget=${WASM_TIERING_BUDGET}`)

export function startWorker(data: EmbeddedWorkerData): Worker {
  // Nothing of the process is handed on: no loaders, and no environment with its secrets.
  return new Worker(workerFile, { workerData: data, execArgv: [], env: {} })
}

/** Resolves when the worker has ended, thrown where it ended with an error. */
export async function workerEnd(worker: Worker): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', (code) => {
      if (code === 0) resolve()
      else reject(stopped())
    })
  })
}

/**
 * The socket the PostgreSQL client believes it has: a new worker behind each. `turn` is awaited
 * before the worker starts, so that two never open the same cluster; `close` is emitted when this
 * one is gone for certain.
 */
export function createWorkerStream(data: EmbeddedWorkerData, turn: Promise<void>): Duplex {
  return new WorkerStream(data, turn)
}

class WorkerStream extends Duplex {
  #worker: Worker | undefined
  #unanswered = 0

  constructor(
    readonly data: EmbeddedWorkerData,
    readonly turn: Promise<void>,
  ) {
    super()
  }

  /** The part of net.Socket that the client asks for. */
  connect(): this {
    this.turn.then(
      () => {
        this.#start()
      },
      (error: unknown) => this.destroy(error as Error),
    )
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  /** Whether the process stays alive is decided by what is unanswered (`#expectAnswer`). */
  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  override _read(): void {
    // Answers are pushed as they come: each is wholly in memory already.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send(new Uint8Array(chunk))
    done()
  }

  /** One batch of the client is one message, and one trip between the threads. */
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#send(new Uint8Array(Buffer.concat(chunks.map(({ chunk }) => chunk))))
    done()
  }

  /** The engine writes its last checkpoint and the thread ends. */
  override _final(done: (error?: Error) => void): void {
    const worker = this.#worker
    if (worker === undefined) {
      done()
      return
    }
    worker.once('exit', () => {
      this.push(null)
      done()
    })
    this.#expectAnswer()
    worker.postMessage('stop' satisfies ToWorker)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const gone = this.#worker?.terminate() ?? Promise.resolve()
    void gone.finally(() => {
      done(error)
    })
  }

  #start(): void {
    if (this.destroyed) return
    const worker = startWorker(this.data)
    this.#worker = worker
    worker.on('message', (message: FromWorker) => {
      this.#receive(message)
    })
    worker.once('error', (error) => this.destroy(error))
    worker.once('exit', () => {
      if (!this.writableEnded) this.destroy(stopped())
    })
  }

  #receive(message: FromWorker): void {
    if (message === 'ready') {
      this.#worker?.unref()
      this.emit('connect')
      return
    }
    this.#unanswered--
    if (this.#unanswered === 0) this.#worker?.unref()
    if (message.length > 0) this.push(message)
  }

  /** An idle worker does not keep the process alive; one that owes an answer does. */
  #expectAnswer(): void {
    if (this.#unanswered === 0) this.#worker?.ref()
    this.#unanswered++
  }

  #send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#expectAnswer()
    this.#worker?.postMessage(bytes satisfies ToWorker, [bytes.buffer])
  }
}

function stopped(): Error {
  return new Error('The thread of the embedded database terminated')
}
