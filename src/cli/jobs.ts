import type { JobSummary } from '../operations/job-operations.js'
import type { ExitCode, Terminal } from './context.js'
import { operate } from './operate.js'

export interface JobsCommandOptions {
  readonly json?: boolean
}

/** `strongroom jobs`: 1 where one has failed and is being tried again. */
export async function jobsCommand(
  terminal: Terminal,
  { json }: JobsCommandOptions,
): Promise<ExitCode> {
  const jobs = await operate(terminal, 'jobs', {})
  if (json === true) terminal.out(JSON.stringify(jobs))
  else for (const job of jobs) terminal.out(lineOf(job))
  return jobs.some(({ failures }) => failures > 0) ? 1 : 0
}

function lineOf({
  kind,
  state,
  due,
  payload,
  progress,
  failures,
  failed_reason,
}: JobSummary): string {
  const pairs = (of: Readonly<Record<string, string | number>>) =>
    Object.entries(of).map(([name, value]) => `${name} ${value}`)
  return [
    `${kind.padEnd(18)}${state === 'waiting' ? `due ${due}` : state}`,
    ...pairs(payload),
    ...pairs(progress ?? {}),
    ...(failures > 0 ? [`failed ${failures} times: ${failed_reason ?? 'unknown'}`] : []),
  ].join('; ')
}
