import { Agent, request } from 'undici'
import { StrongroomError } from '../errors/strongroom-error.js'
import type { TracedCall } from '../ports/tracing.js'
import type { WorkLog } from '../ports/work-log.js'
import type { Assignments } from '../records/ports.js'
import { untraced } from './untraced.js'

export interface PortalOptions {
  /** Asked as `GET <url>?clinician_id=&patient_id=` → `{"assigned": true}`. */
  readonly url: string
  readonly token: string | undefined
  /** Milliseconds until an answer has come, body included. */
  readonly timeoutMs: number
  /** Seconds an answer is good for, from when it was asked; at most 60. */
  readonly cacheSeconds: number
  /** Called, and waited for, when the portal has said that a clinician is assigned to a patient. */
  readonly onAssigned?: (clinicianId: string, patientId: string) => Promise<void>
  /** Told of each question, why an answer was none, and of what `onAssigned` threw. */
  readonly log: Pick<WorkLog, 'info' | 'error'>
  readonly traced?: TracedCall | undefined
}

export interface PortalAssignments extends Assignments {
  close(): Promise<void>
}

interface Known {
  readonly assigned: boolean
  /** `performance.now()` */
  readonly until: number
}

const maxKnown = 10_000
const maxAnswerBytes = 65_536
const retryAfter = 5

/**
 * Assignments as the portal knows them. Those who ask the same at the same time share one question.
 * Only a 200 whose `assigned` is a boolean is an answer: all else is `assignments_unavailable`, which
 * is not remembered.
 */
export function portalAssignments(options: PortalOptions): PortalAssignments {
  const agent = new Agent({ connections: 16, maxResponseSize: maxAnswerBytes })
  const known = new Map<string, Known>()
  const underWay = new Map<string, Promise<boolean>>()

  const askAndKeep = async (key: string, clinicianId: string, patientId: string) => {
    const until = performance.now() + Math.min(options.cacheSeconds, 60) * 1000
    const assigned = await ask(options, agent, clinicianId, patientId)
    known.delete(key)
    known.set(key, { assigned, until })
    for (const oldest of known.keys()) {
      if (known.size <= maxKnown) break
      known.delete(oldest)
    }
    if (assigned) await tell(options, clinicianId, patientId)
    return assigned
  }
  return {
    isAssigned: async (clinicianId, patientId) => {
      const key = JSON.stringify([clinicianId, patientId])
      const found = known.get(key)
      if (found !== undefined && found.until > performance.now()) return found.assigned
      const running =
        underWay.get(key) ??
        askAndKeep(key, clinicianId, patientId).finally(() => underWay.delete(key))
      underWay.set(key, running)
      return await running
    },
    close: async () => {
      await Promise.allSettled(underWay.values())
      await agent.close()
    },
  }
}

async function tell(
  { onAssigned, log }: PortalOptions,
  clinicianId: string,
  patientId: string,
): Promise<void> {
  try {
    await onAssigned?.(clinicianId, patientId)
  } catch (err) {
    log.error({ err }, 'the team grants of an assignment were not begun')
  }
}

async function ask(
  { url, token, timeoutMs, log, traced = untraced }: PortalOptions,
  agent: Agent,
  clinicianId: string,
  patientId: string,
): Promise<boolean> {
  const place = new URL(url)
  place.searchParams.set('clinician_id', clinicianId)
  place.searchParams.set('patient_id', patientId)
  const start = performance.now()
  let status: number | undefined
  try {
    return await traced('assignments', async ({ headers, answered }) => {
      const { statusCode, body } = await request(place, {
        dispatcher: agent,
        headers: {
          accept: 'application/json',
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        signal: AbortSignal.timeout(timeoutMs),
      })
      status = statusCode
      answered(statusCode)
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`The portal answered ${statusCode}`)
      return assignedIn(text)
    })
  } catch (cause) {
    log.error({ err: cause }, 'the portal gave no answer')
    throw new StrongroomError('assignments_unavailable', { cause, retryAfter })
  } finally {
    const ms = Math.round(performance.now() - start)
    log.info({ target: 'assignments', status, ms }, 'outbound call')
  }
}

function assignedIn(text: string): boolean {
  const answer: unknown = JSON.parse(text)
  const assigned: unknown =
    typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'assigned') : undefined
  if (typeof assigned !== 'boolean') throw new Error('The portal’s answer has no boolean assigned')
  return assigned
}
