import { roles as knownRoles } from '../people/roles.js'
import { jsonObject, type Kind, WrongValue } from './kinds.js'

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
