import type { SamplerName } from '../traces/open-traces.js'
import { flag, type Kind, oneOf, text, url, WrongValue } from './kinds.js'
import { optional, plain, secret, variable } from './variable.js'

const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const satisfies readonly SamplerName[]

const PAIRS = 'pairs such as name=value,other=value, values percent-encoded'

/** W3C Baggage, as OpenTelemetry has it for headers and attributes. Never repeats what was given. */
const pairs: Kind<Readonly<Record<string, string>>> = (value) =>
  Object.fromEntries(
    value.split(',').map((pair) => {
      const [, name, encoded] = /^\s*([\w.\-/]+)\s*=\s*([\x21-\x7e ]*?)\s*$/.exec(pair) ?? []
      if (name === undefined || encoded === undefined) throw new WrongValue(PAIRS)
      return [name, decoded(encoded)]
    }),
  )

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new WrongValue(PAIRS)
  }
}

const share: Kind<number> = (value) => {
  const number = /^\d*\.?\d+$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= 0 && number <= 1)) throw new WrongValue('a number from 0 to 1')
  return number
}

/** OpenTelemetry's own names for where traces go; metrics are asked for at /metrics. */
export const watching = {
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(
    'Collector that gets traces (OTLP over HTTP), to which v1/traces is added; absent: none are made',
    url(),
    { example: 'http://localhost:4318' },
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optional(
    'The same for traces alone, with its whole path',
    url(),
    { example: 'http://localhost:4318/v1/traces' },
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: plain(
    'How they are sent: nothing else is built in',
    oneOf(['http/protobuf']),
    'http/protobuf',
  ),
  OTEL_EXPORTER_OTLP_HEADERS: secret(
    'Headers of these requests: name=value,other=value, values percent-encoded',
    pairs,
  ),
  OTEL_SDK_DISABLED: plain('Make no traces, whatever else is set', flag, false),
  OTEL_SERVICE_NAME: variable(
    'Name of this service in traces',
    text({ maxLength: 255 }),
    'strongroom',
  ),
  OTEL_RESOURCE_ATTRIBUTES: variable<Readonly<Record<string, string>>>(
    'What else is said of this process in traces: name=value,other=value',
    pairs,
    {},
    { example: 'deployment.environment.name=production' },
  ),
  OTEL_TRACES_SAMPLER: plain(
    'Which traces are kept; parentbased_: those the caller keeps, and of others',
    oneOf(samplers),
    'parentbased_always_on',
  ),
  OTEL_TRACES_SAMPLER_ARG: plain('Share of them that traceidratio keeps', share, 1),
}
