import { Type } from 'typebox'
import type { Actor } from '../audit/audit-events.js'
import { operatorActor } from '../erasure/operator.js'
import { type Account, type NewAccountWish } from '../people/account-book.js'
import { roles } from '../people/roles.js'
import { operation } from './operation.js'

export interface PeopleDependencies {
  readonly createAccount: (actor: Actor, wish: NewAccountWish) => Promise<Account>
}

const text = (most: number) => Type.String({ minLength: 1, maxLength: most })
const input = Type.Object(
  {
    email: text(254),
    full_name: Type.Optional(text(256)),
    roles: Type.Array(Type.Enum([...roles])),
    password: Type.Optional(text(1_024)),
    /** As an older service kept it. */
    password_hash: Type.Optional(text(256)),
    by: text(128),
  },
  { additionalProperties: false },
)

/** Accounts made by hand: the first administrator is. */
export function peopleOperations({ createAccount }: PeopleDependencies) {
  return {
    'user-create': operation(input, async ({ email, roles, password, by, ...rest }) => {
      const account = await createAccount(operatorActor(by), {
        ...{ email, roles, password, fullName: rest.full_name, passwordHash: rest.password_hash },
      })
      return { id: account.id, roles: [...account.roles] }
    }),
  }
}
