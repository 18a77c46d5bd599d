import type { Database, Query, Sql, SqlValue } from '../../../src/db/database.js'

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly Plan[]
}

interface Explained {
  readonly Plan: Plan
  readonly 'Execution Time': number
}

/** What one statement cost. */
export interface Cost {
  readonly query: string
  /** Pages that were touched. */
  readonly pages: number
  readonly rows: number
  readonly ms: number
  /** Tables that were read from end to end, and are not next to empty. */
  readonly scanned: readonly string[]
}

/**
 * `values`: the plan is made for these values, as for the first calls of a statement. `any`: for whichever
 * come, as PostgreSQL may settle on from the sixth call of a connection on.
 */
export type PlannedFor = 'values' | 'any'

const SMALL_PAGES = 100

/**
 * A database that explains each statement it is asked for, and then answers it. What the explained one
 * changed is rolled back.
 */
export function explaining(database: Database, plannedFor: PlannedFor = 'values') {
  const costs: Cost[] = []
  const sql: Sql = {
    rows: async <R extends object>(query: Query, values: readonly SqlValue[] = []) => {
      const { Plan: plan, 'Execution Time': ms } = await explain(
        database,
        plannedFor,
        query,
        values,
      )
      const scanned = nodesOf(plan).flatMap((node) =>
        node['Node Type'] === 'Seq Scan' &&
        node['Relation Name'] !== undefined &&
        pagesOf(node) > SMALL_PAGES
          ? [node['Relation Name']]
          : [],
      )
      costs.push({
        ...{ query: query.name, pages: pagesOf(plan), rows: plan['Actual Rows'], ms },
        scanned,
      })
      return await database.rows<R>(query, values)
    },
  }
  return { sql, costs }
}

class RolledBack extends Error {}

async function explain(
  database: Database,
  plannedFor: PlannedFor,
  { text }: Query,
  values: readonly SqlValue[],
): Promise<Explained> {
  let found: Explained | undefined
  const options = 'analyze, buffers, format json'
  await database
    .transaction(async (sql) => {
      const explained = async (statement: string, given: readonly SqlValue[]) => {
        const query = { name: '', text: `explain (${options}) ${statement}` }
        const [row] = await sql.rows<{ 'QUERY PLAN': readonly [Explained] }>(query, given)
        found = row?.['QUERY PLAN'][0]
      }
      if (plannedFor === 'values') await explained(text, values)
      else {
        const given = values.map(literal).join(', ')
        await sql.script(`set local plan_cache_mode = force_generic_plan;
          prepare explained as ${text}`)
        await explained(`execute explained${given === '' ? '' : `(${given})`}`, [])
        await sql.script('deallocate explained')
      }
      throw new RolledBack()
    })
    .catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error
    })
  if (found === undefined) throw new Error('There is no plan')
  return found
}

/** The value as a statement's text has it. */
function literal(value: SqlValue): string {
  if (value === null) return 'null'
  if (value instanceof Uint8Array) return `'\\x${Buffer.from(value).toString('hex')}'`
  if (value instanceof Date) return quoted(value.toISOString())
  if (typeof value === 'object')
    return quoted(`{${value.map((one) => JSON.stringify(one)).join(',')}}`)
  return quoted(String(value))
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]
}

const pagesOf = (plan: Plan) => plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
