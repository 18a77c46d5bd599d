/** What is wrong with the log. */
export type FindingKind =
  /** An event says something else than when it was written, or stands elsewhere. */
  | 'event_changed'
  /** An event was there and is not. */
  | 'event_removed'
  /** An event that the service never wrote, or wrote once and is there twice. */
  | 'event_inserted'
  /** Events that were written long ago and that no seal tells of. */
  | 'event_unsealed'
  /** A seal says something else than when it was made. */
  | 'seal_changed'
  /** Seals are missing from the chain, at its end too where somebody saw it. */
  | 'seal_removed'
  /** A seal that does not follow the one before it. */
  | 'seal_misplaced'
  /** A head that was signed and put outside is not this chain's. */
  | 'anchor_differs'
  /** A head outside that this deployment did not sign. */
  | 'anchor_unsigned'
  /** A row of the database that the log says was ended or replaced. */
  | 'row_put_back'

export interface Finding {
  readonly kind: FindingKind
  /** Seal that tells of it, or is meant. */
  readonly seal?: number | undefined
  /** Last seal meant, where several are missing in a row. */
  readonly lastSeal?: number | undefined
  readonly writerId?: string | undefined
  /** The writer's number of the event. */
  readonly number?: number | undefined
  /** Last number, where several are missing in a row. */
  readonly lastNumber?: number | undefined
  readonly eventId?: string | undefined
  /** When: of the event, or of the seal. */
  readonly at?: Date | undefined
  /** What else is known of the place: table and ids. */
  readonly row?: Readonly<Record<string, string | number>> | undefined
}

/** Takes findings, keeps so many and counts all. */
export interface Findings {
  add(finding: Finding): void
  readonly kept: readonly Finding[]
  readonly counts: Readonly<Partial<Record<FindingKind, number>>>
}

/** Findings that are told one by one. */
const MOST_KEPT = 1_000

export function findings(): Findings {
  const kept: Finding[] = []
  const counts: Partial<Record<FindingKind, number>> = {}
  return {
    kept,
    counts,
    add: (finding) => {
      counts[finding.kind] = (counts[finding.kind] ?? 0) + 1
      if (kept.length < MOST_KEPT) kept.push(finding)
    },
  }
}
