import { AsyncLocalStorage } from 'node:async_hooks'
import type { WorkLog } from './ports/work-log.js'

/** What names the request on whose behalf something is done. */
interface LogContext {
  readonly request_id: string
  /** Known once the caller has proved who they are. */
  user_id?: string
}

const contexts = new AsyncLocalStorage<LogContext>()

/** Runs `work`, and what it sets off: what is logged there through `inContext` names the request. */
export function asRequest(requestId: string, work: () => void): void {
  contexts.run({ request_id: requestId }, work)
}

/** From now on the lines of the request under way name the caller too. */
export function asUser(userId: string): void {
  const context = contexts.getStore()
  if (context !== undefined) context.user_id = userId
}

/** `log`, with the ids of the request under way in each line. */
export function inContext(log: WorkLog): WorkLog {
  const named = (facts: object) => ({ ...contexts.getStore(), ...facts })
  return {
    info: (facts, message) => {
      log.info(named(facts), message)
    },
    warn: (facts, message) => {
      log.warn(named(facts), message)
    },
    error: (facts, message) => {
      log.error(named(facts), message)
    },
  }
}
