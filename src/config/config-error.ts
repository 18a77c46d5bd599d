/** The configuration cannot be used. `problems` holds all that is wrong, a sentence each, no secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(
    readonly problems: readonly string[],
    readonly notices: readonly string[] = [],
  ) {
    super(`The configuration cannot be used:\n${problems.map((each) => `  - ${each}`).join('\n')}`)
  }
}
