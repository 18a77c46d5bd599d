import { Type } from 'typebox'
import { roles } from '../../people/roles.js'
import { pagingProperties } from './paging.js'

// Unknown members are ignored in family E: its older clients may send more.

const password = Type.String({ minLength: 1, maxLength: 1_024 })
const email = Type.String({ minLength: 3, maxLength: 254 })
const textOrNull = Type.Union([Type.String(), Type.Null()])
const role = Type.Enum([...roles])
const code = Type.String({ maxLength: 16, description: 'Six digits of the authenticator.' })

export const credentials = Type.Object({ email, password, totp: Type.Optional(code) })
export const tokenForm = Type.Object({
  username: email,
  password,
  totp: Type.Optional(code),
})
export const tokenAnswer = Type.Object({
  access_token: Type.String(),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Seconds.' }),
})
export const passwordChange = Type.Object({ current_password: password, new_password: password })
export const totpCode = Type.Object({ code })
export const totpBegun = Type.Object({
  secret: Type.String({ description: 'Base32.' }),
  otpauth_url: Type.String({ description: 'For a QR code.' }),
})
export const message = Type.Object({ message: Type.String() })

export const account = Type.Object({
  id: Type.String(),
  email: textOrNull,
  full_name: textOrNull,
  is_active: Type.Boolean(),
  is_admin: Type.Boolean(),
  roles: Type.Array(Type.String()),
  has_totp: Type.Boolean(),
  created_at: textOrNull,
  updated_at: textOrNull,
  last_login: textOrNull,
})
const accountFields = {
  full_name: Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()])),
  is_active: Type.Optional(Type.Boolean()),
  is_admin: Type.Optional(Type.Boolean({ description: 'The same as the role `admin`.' })),
  roles: Type.Optional(Type.Array(role, { maxItems: 16 })),
}
export const newAccount = Type.Object({ email, password, ...accountFields })
export const accountUpdate = Type.Object({
  ...{ email: Type.Optional(email), password: Type.Optional(password) },
  has_totp: Type.Optional(
    Type.Literal(false, { description: 'Takes the second factor away, of somebody who lost it.' }),
  ),
  ...accountFields,
})
export const accountPage = Type.Object({
  users: Type.Array(account),
  damaged: Type.Optional(Type.Array(Type.String())),
  next_cursor: textOrNull,
})
export const accountQuery = Type.Object(pagingProperties)
export const personParams = Type.Object({ user_id: Type.String({ maxLength: 128 }) })

const rights = {
  can_read: Type.Optional(Type.Boolean()),
  can_write: Type.Optional(Type.Boolean()),
  can_delete: Type.Optional(Type.Boolean()),
  can_list: Type.Optional(Type.Boolean()),
  description: Type.Optional(Type.Union([Type.String({ maxLength: 1_024 }), Type.Null()])),
}
const prefix = Type.String({
  maxLength: 1_024,
  description: 'Compared with the whole key, at `/`; empty: all of the bucket.',
})
export const newPermission = Type.Object({
  user_id: Type.Union([Type.String({ minLength: 1, maxLength: 128 }), Type.Integer()]),
  bucket_name: Type.String({ minLength: 1, maxLength: 128 }),
  prefix: Type.Optional(prefix),
  ...rights,
})
export const permissionUpdate = Type.Object({ prefix: Type.Optional(prefix), ...rights })
export const permission = Type.Object({
  ...{ id: Type.String(), user_id: Type.String(), bucket_name: Type.String() },
  prefix: Type.String(),
  ...{ can_read: Type.Boolean(), can_write: Type.Boolean() },
  ...{ can_delete: Type.Boolean(), can_list: Type.Boolean(), description: textOrNull },
  ...{ created_at: Type.String(), updated_at: Type.String() },
})
export const permissionPage = Type.Object({
  permissions: Type.Array(permission),
  next_cursor: textOrNull,
})
export const permissionQuery = Type.Object({
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  ...pagingProperties,
})
export const permissionParams = Type.Object({ permission_id: Type.String({ maxLength: 128 }) })
