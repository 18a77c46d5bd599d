import { jsonObject, type Kind, WrongValue } from './kinds.js'

/** The roles this service knows; a token's own names become these through ROLE_MAP. */
export const knownRoles = [
  'patient',
  'clinician',
  'auditor',
  'admin',
  'service',
  'DOC_UPL',
  'DOC_UPLALL',
  'DOC_VIEW',
  'DOC_VIEWALL',
  'BUY',
  'SEL',
  'ADM',
] as const

const expected = `a JSON object {"their role": "ours"} or {"their role": ["ours", …]}, ours being ${knownRoles.join(', ')}`

/** JSON: a role as it stands in tokens → the roles here it stands for; an empty list takes it away. */
export const roleMap: Kind<ReadonlyMap<string, readonly string[]>> = jsonObject(
  expected,
  (value) => {
    const roles: unknown[] = Array.isArray(value) ? value : [value]
    return roles.map((role) => {
      const known = knownRoles.find((each) => each === role)
      if (known === undefined) throw new WrongValue(expected)
      return known
    })
  },
)
