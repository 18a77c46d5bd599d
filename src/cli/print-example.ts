import { renderExample } from '../config/example.js'
import type { ExitCode, Terminal } from './context.js'

/** `strongroom config example`. */
export function printExample({ out }: Terminal): ExitCode {
  out(renderExample().trimEnd())
  return 0
}
