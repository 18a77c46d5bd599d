/** Whether a value is an object whose members of these names are texts. */
export function hasTexts<N extends string>(
  value: unknown,
  names: readonly N[],
): value is Readonly<Record<N, string>> {
  if (typeof value !== 'object' || value === null) return false
  const members = value as Readonly<Record<string, unknown>>
  return names.every((name) => typeof members[name] === 'string')
}
