import type { AuditStore } from '../audit/ports.js'

/** Who was refused often, and how often; nobody known: from which address. */
export interface Refused {
  readonly actorId: string | null
  readonly ip: string | null
  readonly count: number
}

/** Who opened how many different records. */
export interface Opened {
  readonly actorId: string
  readonly count: number
}

/** A record that a clinician opened because somebody shared it. */
export interface SharedReading {
  readonly actorId: string
  readonly patientId: string
  readonly fileId: string
}

/** A span of the log that is looked at; where the alert of a rule stands in it, it is not raised again. */
export interface AlertSpan {
  readonly from: Date
  readonly limit: number
}

/** What the log says that somebody should look at. Each list leaves out whom the span has an alert of. */
export interface AlertStore {
  refused(atLeast: number, span: AlertSpan): Promise<Refused[]>
  opened(atLeast: number, span: AlertSpan): Promise<Opened[]>
  /** Read in the span; no alert about the two of them since `toldSince`. */
  sharedReadings(
    span: AlertSpan & {
      readonly toldSince: Date
      /** In the order of the two; those after these. */
      readonly after?: Pick<SharedReading, 'actorId' | 'patientId'> | undefined
    },
  ): Promise<SharedReading[]>
}

export interface AlertStores {
  readonly alerts: AlertStore
  readonly audit: AuditStore
}
