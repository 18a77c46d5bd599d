import { openEmbeddedDatabase } from '../../dist/db/embedded-database.js'

/**
 * Writes for ever, eight transactions at a time, and prints the number of each one that was
 * acknowledged. Arguments: the folder, the first number.
 */
const [folder = '', start = '0'] = process.argv.slice(2)
const db = await openEmbeddedDatabase({ folder })
const insertLeft = { name: 'left', text: 'INSERT INTO left_half VALUES ($1, $2)' }
const insertRight = { name: 'right', text: 'INSERT INTO right_half VALUES ($1)' }
let next = Number(start)

async function write() {
  for (;;) {
    const n = next++
    await db.transaction(async (sql) => {
      await sql.rows(insertLeft, [n, 'x'.repeat((n * 37) % 3000)])
      await sql.rows(insertRight, [n])
    })
    process.stdout.write(`${n}\n`)
    if (n % 500 === 0) await db.script('CHECKPOINT')
  }
}

await Promise.all(Array.from({ length: 8 }, write))
