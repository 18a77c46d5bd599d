import { StrongroomError } from '../errors/strongroom-error.js'
import type { IndexHash } from '../keys/index-hash.js'
import type { LoginAttemptStore } from './account-ports.js'
import { networkOf } from './network.js'

/** Failures are counted for so long from the first of them. */
const WINDOW_MS = 15 * 60_000
/** With one account, from one network. */
const PER_PAIR = 10
/** With all accounts, from one network: a hospital may be one. */
const PER_NETWORK = 200
/** With one account from everywhere; then each network has so few. Never none: nobody is locked out by others. */
const PER_ACCOUNT = 50
const PER_PAIR_UNDER_ATTACK = 2

/** Slows guessing down; the same for accounts that are there and that are not. */
export interface LoginThrottle {
  /**
   * To be called before a password is checked: what is tried at the same time counts, too.
   * @throws StrongroomError `too_many_requests`
   */
  begin(account: string, address: string): Promise<LoginAttempt>
}

export interface LoginAttempt {
  /** Somebody proved who they are. */
  succeeded(): Promise<void>
  /** The password was right and the second factor was not given: neither a success nor a guess. */
  undecided(): Promise<void>
}

interface Dependencies {
  readonly db: { readonly stores: { readonly logins: LoginAttemptStore } }
  readonly hash: Pick<IndexHash, 'of'>
}

export function loginThrottle({ db, hash }: Dependencies): LoginThrottle {
  const { logins } = db.stores
  const key = (...parts: string[]) => hash.of('login', ...parts).toString('base64url')
  return {
    begin: async (account, address) => {
      const network = networkOf(address)
      const keys = {
        account: key('account', account),
        network: key('network', network),
        pair: key('pair', account, network),
      }
      const at = new Date()
      const from = new Date(at.getTime() - WINDOW_MS)
      const [counts, isKnown] = await Promise.all([
        logins.count(Object.values(keys), { from, at }),
        logins.isKnown(keys.pair),
      ])
      const failures = (name: string) => counts.find((each) => each.key === name)?.failures ?? 0
      const isAttacked = failures(keys.account) > PER_ACCOUNT && !isKnown
      const most = isAttacked ? PER_PAIR_UNDER_ATTACK : PER_PAIR
      if (failures(keys.pair) > most || failures(keys.network) > PER_NETWORK) {
        const since = Math.min(...counts.map((each) => each.since.getTime()))
        const retryAfter = Math.max(Math.ceil((since + WINDOW_MS - at.getTime()) / 1_000), 1)
        throw new StrongroomError('too_many_requests', { retryAfter })
      }
      return {
        succeeded: async () => {
          const { account, network, pair } = keys
          await logins.pardon({ forgotten: [pair], lessened: [account, network] })
          await logins.remember(pair, at)
        },
        undecided: () => logins.pardon({ forgotten: [], lessened: Object.values(keys) }),
      }
    },
  }
}
