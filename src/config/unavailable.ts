import type { VariableName } from './variables.js'

/**
 * Functions that are not built yet. Who sets one of these relies on it, so a value other than the
 * default stops the start. A line goes when its function comes.
 */
export const refusedNames: ReadonlySet<VariableName> = new Set<VariableName>([
  'CLAMD_URL',
  'COOKIE_AUTH',
  'DIRECT_UPLOADS',
  'KEYCLOAK_REALM',
  'KEYCLOAK_SERVER_URL',
  'KEYCLOAK_SERVICE_ACCOUNT_EMAIL',
  'OIDC_AUDIENCE',
  'OIDC_CLIENT_ID',
  'OIDC_CLIENT_SECRET',
  'OIDC_ISSUER',
  'OIDC_JWKS_URI',
  'ORDER_SERVICE_URL',
  'REDIS_URL',
  'SCAN_POLICY',
  'SERVICE_CLIENTS',
  'STORAGE_DRIVER',
  'WORKERS',
])

/** Read and checked, but without effect yet, and nobody's safety rests on them: a notice is enough. */
export const inertNames: ReadonlySet<VariableName> = new Set<VariableName>([
  'API_PREFIX',
  'BUCKETS',
  'S3_BUCKET',
  'S3_CREATE_BUCKET',
  'S3_ENDPOINT',
  'S3_FORCE_PATH_STYLE',
  'S3_PREFIX',
  'S3_SSE',
  'S3_USE_ACCELERATE',
  'S3_VERIFY_ON_INIT',
  'TICKET_MAX_SECONDS',
  'UPLOAD_EXPIRY_DAYS',
  'UPLOAD_TICKET_SECONDS',
  'VIEW_SESSION_SECONDS',
  'VIEW_TICKET_SECONDS',
])
