let made = 0
let broken = 0

/** A chapter of the story. */
export function chapter(title: string): void {
  console.log(`\n\u001b[1m${title}\u001b[0m`)
}

export function show(line: string): void {
  console.log(`    ${line}`)
}

/** Says what is claimed and whether it holds. */
export function claim(text: string, holds: boolean): void {
  made++
  if (!holds) broken++
  console.log(`  ${holds ? '✓' : '✗ DOES NOT HOLD:'} ${text}`)
}

/** How many claims were made and did not hold. */
export const tally = () => ({ made, broken })

/** `length` bytes as hexdump -C shows them. */
export function hex(bytes: Buffer, length = 64): string[] {
  const lines: string[] = []
  for (let at = 0; at < Math.min(length, bytes.length); at += 16) {
    const row = bytes.subarray(at, at + 16)
    const digits = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = row.toString('latin1').replace(/[^ -~]/g, '.')
    lines.push(`${at.toString(16).padStart(4, '0')}  ${digits.padEnd(47)}  |${text}|`)
  }
  return lines
}
