/** What was looked at, and what came of it. */
export interface Finding {
  /** `database`, `bucket`, …: what a table of them is sorted by. */
  readonly about: string
  /** `wrong`: the service cannot do its work, or not safely. `warning`: it can, and should be better. */
  readonly state: 'ok' | 'warning' | 'wrong'
  /** One line. No secrets, no names of people. */
  readonly says: string
  /** How to mend it; absent where it is well. */
  readonly mend?: string
}

export const well = (about: string, says: string): Finding => ({ about, state: 'ok', says })

export const warning = (about: string, says: string, mend: string): Finding => ({
  ...{ about, state: 'warning', says, mend },
})

export const wrong = (about: string, says: string, mend: string): Finding => ({
  ...{ about, state: 'wrong', says, mend },
})
