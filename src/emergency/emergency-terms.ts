import { randomUUID } from 'node:crypto'
import { CryptoError } from '../crypto/crypto-error.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { EmergencyNote, EmergencyRow } from './ports.js'

/**
 * What an emergency access is for and how far it goes, sealed under the patient's key. Whoever can write to
 * the database and has no keys can neither make one nor make one longer, wider or another's.
 */
export interface EmergencyTerms {
  seal(row: EmergencyRow, reason: string): Promise<EmergencyNote>
  /**
   * The reason. @throws StrongroomError `damaged` where these are not the terms of `row`
   */
  open(row: EmergencyRow, note: EmergencyNote): Promise<string>
  /** The words of a reviewer. */
  sealReview(row: EmergencyRow, text: string): Promise<EmergencyNote>
  openReview(row: EmergencyRow, note: EmergencyNote): Promise<string>
}

/** The thing a note is about: never the id of a grant, whose purpose somebody else may choose the words of. */
export const aboutNote = (noteId: string) => `emergency:${noteId}`

export function emergencyTerms(keyRing: Pick<KeyRing, 'sealNote' | 'openNote'>): EmergencyTerms {
  const seal = async ({ patientId }: EmergencyRow, words: readonly unknown[]) => {
    const noteId = randomUUID()
    const text = JSON.stringify(words)
    return { noteId, ...(await keyRing.sealNote(patientId, aboutNote(noteId), text)) }
  }
  const open = async ({ patientId }: EmergencyRow, note: EmergencyNote, label: unknown) => {
    const text = await keyRing.openNote(patientId, aboutNote(note.noteId), note)
    const words = JSON.parse(text) as readonly unknown[]
    const last = words.at(-1)
    const fits = JSON.stringify(words.slice(0, -1)) === JSON.stringify(label)
    if (!fits || typeof last !== 'string') throw new CryptoError('label')
    return last
  }
  return {
    seal: (row, reason) => seal(row, [...termsOf(row), reason]),
    open: (row, note) => open(row, note, termsOf(row)),
    sealReview: (row, text) => seal(row, [...reviewOf(row), text]),
    openReview: (row, note) => open(row, note, reviewOf(row)),
  }
}

const termsOf = (row: EmergencyRow) => [
  'emergency',
  row.emergencyId,
  row.clinicianId,
  row.reasonCode,
  row.requestedAt.toISOString(),
  row.endsAt.toISOString(),
  row.sensitiveTypes,
]

const reviewOf = ({ emergencyId }: EmergencyRow) => ['emergency-review', emergencyId]
