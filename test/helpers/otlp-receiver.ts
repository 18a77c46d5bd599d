import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number
  /** Of the process that sent it. */
  readonly resource: Readonly<Record<string, string | number | boolean>>
}

export interface ReceivedExport {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A collector of traces: OTLP over HTTP, protobuf (opentelemetry-proto, trace/v1). */
export async function otlpReceiver() {
  const exports: ReceivedExport[] = []
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      exports.push({ path: request.url ?? '', headers: request.headers, body })
      response.setHeader('content-type', 'application/x-protobuf')
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    exports,
    spans: () => exports.flatMap(({ body }) => spansIn(body)),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** ExportTraceServiceRequest. */
function spansIn(body: Buffer): ReceivedSpan[] {
  return fieldsOf(body, 1).flatMap((resourceSpans) => {
    const resource = fieldsOf(resourceSpans, 1).flatMap((each) => fieldsOf(each, 1))
    return fieldsOf(resourceSpans, 2).flatMap((scope) =>
      fieldsOf(scope, 2).map((span) => toSpan(span, attributesOf(resource))),
    )
  })
}

function toSpan(span: Buffer, resource: ReceivedSpan['resource']): ReceivedSpan {
  const hex = (field: number) => fieldsOf(span, field)[0]?.toString('hex') ?? ''
  const status = fieldsOf(span, 15)[0]
  return {
    ...{ traceId: hex(1), spanId: hex(2), parentSpanId: hex(4), resource },
    name: fieldsOf(span, 5)[0]?.toString() ?? '',
    attributes: attributesOf(fieldsOf(span, 9)),
    status: status === undefined ? 0 : (numberOf(status, 3) ?? 0),
  }
}

/** KeyValue, of a string, a boolean or a whole number. */
function attributesOf(pairs: readonly Buffer[]): ReceivedSpan['attributes'] {
  return Object.fromEntries(
    pairs.map((pair) => {
      const key = fieldsOf(pair, 1)[0]?.toString() ?? ''
      const value = fieldsOf(pair, 2)[0] ?? Buffer.alloc(0)
      const isTrue = numberOf(value, 2) === 1
      const text = fieldsOf(value, 1)[0]?.toString()
      return [key, text ?? numberOf(value, 3) ?? isTrue]
    }),
  )
}

interface Field {
  readonly number: number
  readonly value: Buffer | number
}

function fieldsOf(message: Buffer, number: number): Buffer[] {
  return [...read(message)].flatMap((field) =>
    field.number === number && typeof field.value !== 'number' ? [field.value] : [],
  )
}

function numberOf(message: Buffer, number: number): number | undefined {
  const found = [...read(message)].find((field) => field.number === number)
  return typeof found?.value === 'number' ? found.value : undefined
}

/** The fields of a message, by the wire format of protocol buffers. */
function* read(message: Buffer): Generator<Field> {
  let at = 0
  const varint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++)
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const type = tag % 8
    if (type === 0) yield { number, value: varint() }
    else {
      const length = type === 2 ? varint() : type === 1 ? 8 : 4
      yield { number, value: message.subarray(at, at + length) }
      at += length
    }
  }
}
