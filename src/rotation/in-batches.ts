/** All rows there are, `size` at a time, each batch asked for after the last row of the one before. */
export async function* inBatches<Row>(
  size: number,
  next: (after: Row | undefined) => Promise<Row[]>,
): AsyncGenerator<Row[], void> {
  let rows = await next(undefined)
  while (rows.length > 0) {
    yield rows
    if (rows.length < size) return
    rows = await next(rows.at(-1))
  }
}
