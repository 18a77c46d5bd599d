import type { AccountBook } from '../../../people/account-book.js'
import type { Logins } from '../../../people/login.js'
import type { PermissionBook } from '../../../people/permission-book.js'
import type { App } from '../../app-type.js'
import { issueToken } from '../../plugins/issue-token.js'
import { loginRoutes } from './login.js'
import { myAccountRoutes, totpRoutes } from './my-account.js'
import { permissionRoutes } from './permissions.js'
import { userRoutes } from './users.js'

/** What the calls on people need. */
export interface PeopleRouteServices {
  readonly config: { readonly http: { readonly cookieAuth: boolean } }
  readonly people: {
    readonly logins: Logins
    readonly accounts: AccountBook
    readonly permissions: PermissionBook
    readonly localTokenKey: string
    /** Whether there are accounts of our own. */
    readonly hasAccounts: boolean
  }
}

/** Logging in, which is open to everybody. */
export function registerLoginRoutes(app: App, { config, people }: PeopleRouteServices): void {
  const { cookieAuth } = config.http
  const issue = issueToken({ key: people.localTokenKey, cookieAuth })
  if (people.hasAccounts) loginRoutes(app, { logins: people.logins, issue })
}

/** The people part of family E. */
export function registerPeopleRoutes(app: App, { config, people }: PeopleRouteServices): void {
  const { cookieAuth } = config.http
  const use = {
    ...people,
    cookieAuth,
    issue: issueToken({ key: people.localTokenKey, cookieAuth }),
  }
  myAccountRoutes(app, use)
  if (people.hasAccounts) totpRoutes(app, use)
  if (people.hasAccounts) userRoutes(app, use)
  permissionRoutes(app, use)
}
