import type { VariableName } from './variables.js'

/**
 * Functions that are not built yet. Who sets one of these relies on it, so a value other than the
 * default stops the start. A line goes when its function comes.
 */
export const refusedNames: ReadonlySet<VariableName> = new Set<VariableName>([
  'CLAMD_URL',
  'DIRECT_UPLOADS',
  'KEYCLOAK_SERVICE_ACCOUNT_EMAIL',
  'ORDER_SERVICE_URL',
  'SCAN_POLICY',
])

/** Read and checked, but without effect yet, and nobody's safety rests on them: a notice is enough. */
export const inertNames: ReadonlySet<VariableName> = new Set<VariableName>(['API_PREFIX'])
