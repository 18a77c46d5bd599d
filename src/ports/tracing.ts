export interface RequestToTrace {
  readonly method: string
  /** The route's pattern: never a URL. */
  readonly route: string
  readonly requestId: string
  /** The header as it came (W3C Trace Context). */
  readonly traceparent: string | undefined
}

export interface RequestTrace {
  /** Runs `work`; what it sets off belongs to the trace. */
  run(work: () => void): void
  /** To be called once, when the request is over. */
  end(answer: { readonly status: number; readonly isBrokenOff: boolean }): void
}

/** Traces requests that come in. */
export interface RequestTracer {
  begin(request: RequestToTrace): RequestTrace
}

/** A call to somebody else. */
export interface OutboundCall {
  /** To be sent with it. */
  readonly headers: Readonly<Record<string, string>>
  /** It was answered with this status. */
  readonly answered: (status: number) => void
}

/**
 * Makes a call to somebody else, traced.
 * @param target who is asked, a word of a closed list
 */
export type TracedCall = <T>(target: string, send: (call: OutboundCall) => Promise<T>) => Promise<T>
