/** What we read of a JSON Schema (2020-12), as the service writes them. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
}

interface Operation {
  readonly parameters?: readonly {
    readonly in: string
    readonly name: string
    readonly required?: boolean
    readonly schema: Schema
  }[]
  readonly requestBody?: Content
  readonly responses?: Readonly<Record<string, Content>>
}

/** What we read of an OpenAPI 3.1 document. */
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const opening = `// Made from /api/openapi.json by \`npm run client:types\`: not to be changed by hand.

/** Every call of the service by method and path: what it takes, and what it answers where it succeeds. */
export interface Operations {
`

/**
 * TypeScript for the calls of an OpenAPI document, in the document's order; not formatted. HEAD is left out, as it
 * takes what GET does. Throws where the document says something that is not known here.
 */
export function openapiTypes({ paths }: OpenApi): string {
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'head')
      .map(([method, operation]) => {
        const name = JSON.stringify(`${method.toUpperCase()} ${path}`)
        return `readonly ${name}: ${operationType(operation)}\n`
      }),
  )
  return `${opening}${calls.join('')}}\n`
}

function operationType(operation: Operation): string {
  const members = [
    ['path', parametersType(operation, 'path')],
    ['query', parametersType(operation, 'query')],
    ['body', contentType(operation.requestBody)],
    ['answer', contentType(successOf(operation)) ?? 'undefined'],
  ] as const
  const lines = members.flatMap(([name, type]) =>
    type === undefined ? [] : [`readonly ${name}: ${type}\n`],
  )
  return `{\n${lines.join('')}}`
}

function parametersType({ parameters = [] }: Operation, place: string): string | undefined {
  const own = parameters.filter((each) => each.in === place)
  if (own.length === 0) return undefined
  return typeOf({
    type: 'object',
    properties: Object.fromEntries(own.map(({ name, schema }) => [name, schema])),
    required: own.filter(({ required }) => required === true).map(({ name }) => name),
  })
}

function successOf({ responses = {} }: Operation): Content | undefined {
  const status = Object.keys(responses).find((each) => each.startsWith('2'))
  return status === undefined ? undefined : responses[status]
}

function contentType(content: Content | undefined): string | undefined {
  const schema = content?.content?.['application/json']?.schema
  return schema === undefined ? undefined : typeOf(schema)
}

const plainTypes: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
}

function typeOf(schema: Schema): string {
  const { type, anyOf, items } = schema
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return union(schema.enum.map((each) => JSON.stringify(each)))
  if (anyOf !== undefined) return union(anyOf.map(typeOf))
  if (Array.isArray(type))
    return union(type.map((each: string) => typeOf({ ...schema, type: each })))
  if (type === 'array') return `readonly (${items === undefined ? 'unknown' : typeOf(items)})[]`
  if (type === 'object') return objectType(schema)
  if (type === undefined) return 'unknown'
  const plain = typeof type === 'string' ? plainTypes[type] : undefined
  if (plain === undefined) throw new Error(`No type for ${JSON.stringify(schema)}`)
  return plain
}

const union = (types: readonly string[]) => [...new Set(types)].join(' | ')

function objectType({ properties, required = [], additionalProperties }: Schema): string {
  if (properties === undefined) {
    const values =
      typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown'
    return `Readonly<Record<string, ${values}>>`
  }
  const members = Object.entries(properties).map(([name, schema]) => {
    const type = typeOf(schema)
    const key = JSON.stringify(name)
    return required.includes(name)
      ? `readonly ${key}: ${type}\n`
      : `readonly ${key}?: ${type} | undefined\n`
  })
  return `{\n${members.join('')}}`
}
