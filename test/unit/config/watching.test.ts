import { inspect } from 'node:util'
import t from 'tap'
import { ConfigError, readConfig } from '../../../src/config.js'

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }
const tracesOf = (env: Readonly<Record<string, string>>) => readConfig(env).traces

void t.test('traces are made where a collector is named', (t) => {
  t.equal(tracesOf({}), undefined)
  t.equal(tracesOf({ OTEL_SERVICE_NAME: 'files', OTEL_TRACES_SAMPLER: 'always_on' }), undefined)
  t.equal(tracesOf({ ...endpoint, OTEL_SDK_DISABLED: 'true' }), undefined)
  t.equal(tracesOf(endpoint)?.endpoint, 'http://collector:4318/v1/traces', 'a base')
  const whole = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://other/in' }
  t.equal(tracesOf({ ...endpoint, ...whole })?.endpoint, 'https://other/in', 'a whole URL')
  t.end()
})

void t.test('OpenTelemetry’s own variables', (t) => {
  const traces = tracesOf({
    ...endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a%3Db, x-tenant=records',
    OTEL_SERVICE_NAME: 'records-store',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=trial,team=files',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
  })
  t.same(traces?.headers, { authorization: 'Bearer a=b', 'x-tenant': 'records' })
  t.equal(traces?.serviceName, 'records-store')
  t.same(traces?.attributes, { 'deployment.environment.name': 'trial', team: 'files' })
  t.equal(traces?.sampler, 'parentbased_traceidratio')
  t.equal(traces?.ratio, 0.25)
  t.notMatch(inspect(traces), /Bearer/)
  t.notMatch(JSON.stringify(traces), /Bearer/)
  t.end()
})

void t.test('what is wrong is said, without the value of a secret', (t) => {
  const wrong: readonly [name: string, value: string, expected: RegExp][] = [
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /^OTEL_EXPORTER_OTLP_PROTOCOL: .* got "grpc"$/],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json', /expected one of http\/protobuf/],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317', /expected a URL/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'hunter2', /^OTEL_EXPORTER_OTLP_HEADERS: expected pairs/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%E0%A4hunter2', /expected pairs/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b\r\nhunter2: c', /expected pairs/],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote', /expected one of always_on, /],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5', /expected a number from 0 to 1/],
    ['OTEL_TRACES_SAMPLER_ARG', 'half', /expected a number from 0 to 1/],
  ]
  for (const [name, value, expected] of wrong) {
    try {
      readConfig({ [name]: value })
      t.fail(`${name}=${value} is taken`)
    } catch (error) {
      const [problem = '', ...more] = error instanceof ConfigError ? error.problems : []
      t.match(problem, expected)
      t.notMatch(problem, /hunter2/)
      t.same(more, [])
    }
  }
  t.end()
})
