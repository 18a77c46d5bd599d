/** What REQUIRE_SECOND_FACTOR can demand one for. */
export const secondFactorUses = ['emergency', 'grants', 'keys', 'people'] as const
export type SecondFactorUse = (typeof secondFactorUses)[number]

/** Methods (RFC 8176) that are no password; `mfa`: the provider saw to it that there were several. */
const factors = new Set([
  'otp',
  'mfa',
  'hwk',
  'swk',
  'fpt',
  'face',
  'iris',
  'sc',
  'pop',
  'webauthn',
])

/** Whether somebody proved who they are by more than a password. */
export function hasSecondFactor(methods: readonly string[]): boolean {
  return methods.some((method) => factors.has(method))
}
