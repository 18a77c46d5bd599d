import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv, promisify } from 'node:util'
import t from 'tap'
import { parseAllDocuments, parse as parseYaml } from 'yaml'
import { type VariableName, variables } from '../../src/config/variables.js'
import { readConfig } from '../../src/config.js'
import {
  at,
  listAt,
  mapAt,
  type Node,
  readPolicy,
  readTerraform,
  root,
  textsAt,
} from './support/deploy-files.js'

const run = promisify(execFile)
const compose = parseYaml(await readFile(join(root, 'docker-compose.yml'), 'utf8')) as Node
const services = Object.entries(mapAt(compose, 'services'))
const terraform = await readTerraform(join(root, 'deploy/terraform'))
const resource = (kind: string, name: string) => mapAt(terraform, 'resource', kind, name)

const values = {
  bucket_arn: 'arn:aws:s3:::files',
  log_bucket_arn: 'arn:aws:s3:::files-access-logs',
  bucket_key_arn: 'arn:aws:kms:eu-central-1:123456789012:key/bucket',
  master_key_arn: 'arn:aws:kms:eu-central-1:123456789012:key/master',
  account_id: '123456789012',
  region: 'eu-central-1',
}

void t.test('compose: the images are pinned, and each server is waited for', (t) => {
  t.same(services.map(([name]) => name).sort(), ['database', 'objects', 'redis', 'strongroom'])
  const others = services.filter(([name]) => name !== 'strongroom')
  for (const [name, service] of others) {
    t.match(at(service, 'image'), /^[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?$/, name)
    t.equal(
      at(compose, 'services', 'strongroom', 'depends_on', name, 'condition'),
      'service_healthy',
    )
  }
  for (const [name, service] of services) {
    t.match(textsAt(service, 'healthcheck', 'test')[0], /^CMD(-SHELL)?$/, `${name}: a check`)
  }
  t.end()
})

void t.test('compose: nothing can be written but volumes, and nothing is privileged', (t) => {
  for (const [name, service] of services) {
    t.equal(at(service, 'read_only'), true, name)
    t.same(at(service, 'cap_drop'), ['ALL'], name)
    t.equal(at(service, 'cap_add'), undefined, name)
    t.equal(at(service, 'privileged'), undefined, name)
    t.same(at(service, 'security_opt'), ['no-new-privileges:true'], name)
    for (const mount of textsAt(service, 'volumes')) {
      t.match(mount, /^(\w+:\/[\w/]+|\.\/deploy\/[\w./-]+:\/[\w./]+:ro)$/, `${name}: ${mount}`)
    }
  }
  t.end()
})

void t.test('compose: only the service is published, and on loopback', (t) => {
  t.equal(at(compose, 'networks', 'back', 'internal'), true)
  for (const [name, service] of services) {
    const ports = textsAt(service, 'ports')
    if (name === 'strongroom') t.same(ports, ['127.0.0.1:8006:8006'])
    else t.same([ports, at(service, 'networks')], [[], ['back']], name)
    t.equal(at(service, 'network_mode'), undefined)
  }
  t.end()
})

void t.test('compose: no secret has a value or a default', (t) => {
  const secret = /PASSWORD|SECRET|ACCESS_KEY|AUTH|TOKEN|_URL$/
  let seen = 0
  for (const [name, service] of services) {
    for (const [key, value] of Object.entries(mapAt(service, 'environment'))) {
      if (!secret.test(key) || value === '') continue
      seen += 1
      t.match(value, /\$\{[A-Z_]+:\?/, `${name}: ${key} must be given`)
      t.notMatch(value, /:-|:[^/$@]*[^/$@:{}?]+@/, `${name}: ${key} has no default`)
    }
  }
  t.ok(seen >= 9, `${seen} looked at`)
  const asked = JSON.stringify(compose).matchAll(/\$\{([A-Z_]+)/g)
  const made = ['POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'GARAGE_ACCESS_KEY', 'GARAGE_SECRET_KEY']
  t.same(
    [...new Set([...asked].map(([, name]) => name))].sort(),
    [...made, 'GARAGE_RPC_SECRET'].sort(),
    'those that init writes',
  )
  t.end()
})

void t.test('compose: the service knows every variable it is given', (t) => {
  const names = Object.keys(mapAt(compose, 'services', 'strongroom', 'environment'))
  const known = new Set<string>(variables.keys())
  t.same(
    names.filter((name) => !known.has(name)),
    [],
  )
  const withheld = Object.entries(mapAt(compose, 'services', 'strongroom', 'environment'))
    .filter(([, value]) => value === '')
    .map(([name]) => name)
  t.ok(withheld.includes('GARAGE_RPC_SECRET'), 'what only the servers need is not handed on')
  t.end()
})

void t.test('compose: its settings are those of a production that starts', async (t) => {
  const cwd = t.testdir({})
  await run(process.execPath, [join(root, 'dist/cli/strongroom.js'), 'init'], { cwd, env: {} })
  const made = parseEnv(await readFile(join(cwd, '.env'), 'utf8'))
  const given = mapAt(compose, 'services', 'strongroom', 'environment')
  const filled = Object.entries(given).map(([name, value]): [string, string] => [
    name,
    String(value).replaceAll(/\$\{(\w+)[^}]*\}/g, (_all, secret: string) => made[secret] ?? ''),
  ])
  const config = readConfig({ ...made, ...Object.fromEntries(filled) }, '/app')
  t.equal(config.production, true)
  t.same(config.clearTextHosts, ['database', 'redis', 'objects'])
  const others = Object.keys(mapAt(compose, 'services')).filter((name) => name !== 'strongroom')
  t.same(
    config.clearTextHosts.filter((host) => !others.includes(host)),
    [],
    'servers of its own',
  )
})

void t.test('compose: the S3 server signs for the region the service names', async (t) => {
  const settings = await readFile(join(root, 'deploy/compose/garage.toml'), 'utf8')
  const region = at(compose, 'services', 'strongroom', 'environment', 'AWS_REGION')
  t.equal(/^s3_region = "(.*)"$/m.exec(settings)?.[1], region)
  t.match(settings, /^data_fsync = true$/m)
  t.notMatch(settings.replaceAll(/^#.*$/gm, ''), /secret|token/i, 'no secret in a file')
})

void t.test('the build context holds what is built, and nothing else', async (t) => {
  const lines = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n').filter(Boolean)
  t.equal(lines[0], '*', 'all is left out first')
  const sources = ['package.json', 'package-lock.json', 'tsconfig.json', 'src']
  t.same(lines.slice(1).sort(), sources.map((name) => `!${name}`).sort())
})

void t.test('Terraform: every name that is used is declared', (t) => {
  const declared = new Set([
    ...Object.keys(mapAt(terraform, 'variable')).map((name) => `var.${name}`),
    ...Object.keys(mapAt(terraform, 'locals')).map((name) => `local.${name}`),
    ...['resource', 'data'].flatMap((kind) =>
      Object.entries(mapAt(terraform, kind)).flatMap(([type, named]) =>
        Object.keys(mapAt(named)).map((name) => `${kind === 'data' ? 'data.' : ''}${type}.${name}`),
      ),
    ),
  ])
  const text = JSON.stringify(terraform)
  const used = [...text.matchAll(/\b(?:var|local)\.\w+|\b(?:data\.)?aws_\w+\.\w+/g)].map(String)
  t.ok(used.length > 50)
  t.same(
    [...new Set(used)].filter((name) => !declared.has(name)),
    [],
  )
  const variableNames = [...declared].filter((name) => name.startsWith('var.'))
  t.same(
    variableNames.filter((name) => !used.includes(name)),
    [],
    'none is there in vain',
  )
  for (const name of [
    'service-bucket',
    'service-master-key',
    'doctor',
    'bucket-policy',
    'log-bucket-policy',
  ]) {
    t.match(text, `iam/${name}.json`, `${name} is attached`)
  }
  t.end()
})

void t.test('Terraform: each variable says what it is and refuses what cannot be', (t) => {
  for (const [name, block] of Object.entries(mapAt(terraform, 'variable'))) {
    t.match(at(block, 'description'), /\w/, name)
    if (at(block, 'type') !== '${bool}') t.ok(at(block, 'validation', 'condition'), name)
  }
  t.end()
})

void t.test('Terraform: both buckets are private, versioned, encrypted and logged', (t) => {
  for (const name of ['files', 'logs']) {
    const access = resource('aws_s3_bucket_public_access_block', name)
    const flags = ['block_public_acls', 'block_public_policy', 'ignore_public_acls']
    for (const flag of [...flags, 'restrict_public_buckets']) t.equal(access[flag], true, flag)
    const versioning = resource('aws_s3_bucket_versioning', name)
    t.equal(at(versioning, 'versioning_configuration', 'status'), 'Enabled')
    const ownership = resource('aws_s3_bucket_ownership_controls', name)
    t.equal(at(ownership, 'rule', 'object_ownership'), 'BucketOwnerEnforced')
    t.equal(at(resource('aws_s3_bucket', name), 'lifecycle', 'prevent_destroy'), true)
  }
  const encryption = resource('aws_s3_bucket_server_side_encryption_configuration', 'files')
  t.match(at(encryption, 'rule', 'apply_server_side_encryption_by_default'), [
    { sse_algorithm: 'aws:kms', kms_master_key_id: '${aws_kms_key.bucket.arn}' },
  ])
  t.equal(at(encryption, 'rule', 'bucket_key_enabled'), true)
  t.match(resource('aws_s3_bucket_logging', 'files'), { target_bucket: '${aws_s3_bucket.logs.id}' })
  t.end()
})

void t.test('Terraform: what is left over goes, what was deleted goes later', (t) => {
  const rules = listAt(resource('aws_s3_bucket_lifecycle_configuration', 'files'), 'rule')
  const [unfinished, deleted] = rules
  t.match(
    at(unfinished, 'abort_incomplete_multipart_upload', 'days_after_initiation'),
    'upload_expiry_days',
  )
  t.equal(at(terraform, 'variable', 'upload_expiry_days', 'default'), 7)
  t.match(at(deleted, 'noncurrent_version_transition'), [{ storage_class: 'GLACIER' }])
  t.equal(at(terraform, 'variable', 'glacier_after_days', 'default'), 90)
  t.match(at(deleted, 'noncurrent_version_expiration', 'noncurrent_days'), 'noncurrent_days')
  for (const rule of rules) t.equal(at(rule, 'status'), 'Enabled')
  t.notOk(
    rules.some((rule) => at(rule, 'expiration', 'days') !== undefined),
    'no current file expires',
  )
  t.end()
})

void t.test('Terraform: keys turn by themselves and are never destroyed', (t) => {
  for (const name of ['bucket', 'master']) {
    const key = resource('aws_kms_key', name)
    t.equal(key['enable_key_rotation'], true)
    t.equal(key['deletion_window_in_days'], 30)
    t.equal(at(key, 'lifecycle', 'prevent_destroy'), true)
  }
  t.end()
})

void t.test('Terraform: what goes to the service are variables it knows', (t) => {
  const output = String(at(terraform, 'output', 'environment_variables', 'value'))
  const names = [...output.matchAll(/^ +([A-Z][A-Z0-9_]+) +=/gm)].map(([, name]) => name ?? '')
  const known = new Set<string>(variables.keys())
  t.ok(names.length >= 9)
  t.same(
    names.filter((name) => !known.has(name)),
    [],
  )
  t.match(output, /S3_SSE += "none"/, 'else each file asks for a key the policy refuses')
  t.end()
})

void t.test('the Kubernetes manifests hold what they say', async (t) => {
  const text = await readFile(join(root, 'docs/DEPLOY.md'), 'utf8')
  const yaml = /^```yaml\n(.*?)^```/ms.exec(text)?.[1] ?? ''
  const documents = parseAllDocuments(yaml).map((each) => each.toJS() as Node)
  const kinds = documents.map((each) => at(each, 'kind'))
  t.same(kinds, ['Deployment', 'PodDisruptionBudget', 'Service', 'NetworkPolicy'])
  const pod = mapAt(documents[0], 'spec', 'template', 'spec')
  const container = listAt(pod, 'containers')[0]
  const given = new Map(
    listAt(container, 'env').map((each) => [String(at(each, 'name')), String(at(each, 'value'))]),
  )
  const known = new Set<string>(variables.keys())
  t.same(
    [...given.keys()].filter((name) => !known.has(name.replace(/_FILE$/, ''))),
    [],
  )
  const patience = Number(pod['terminationGracePeriodSeconds'])
  const before = Number(at(container, 'lifecycle', 'preStop', 'sleep', 'seconds'))
  t.ok(patience > before + Number(given.get('SHUTDOWN_SECONDS')))
  t.equal(at(container, 'livenessProbe', 'httpGet', 'path'), '/health/live')
  t.equal(at(container, 'readinessProbe', 'httpGet', 'path'), '/health/ready')
  t.equal(at(container, 'securityContext', 'readOnlyRootFilesystem'), true)
  const labels = { app: 'strongroom' }
  t.same(at(documents[0], 'spec', 'template', 'metadata', 'labels'), labels)
  t.same(at(documents[1], 'spec', 'selector', 'matchLabels'), labels)
  t.same(at(documents[2], 'spec', 'selector'), labels)
  for (const [name, value] of given) {
    const isSecret = variables.get(name as VariableName)?.secret === true
    t.notOk(isSecret && value !== '', `${name}: secrets are files`)
  }
})

/** What IAM calls the permission that each call of the S3 store takes. */
const storeCalls: Readonly<Record<string, readonly string[]>> = {
  PutObject: ['s3:PutObject'],
  GetObject: ['s3:GetObject'],
  HeadObject: ['s3:GetObject', 's3:ListBucket'],
  DeleteObject: ['s3:DeleteObject'],
  CopyObject: ['s3:GetObject', 's3:PutObject'],
  CreateMultipartUpload: ['s3:PutObject'],
  UploadPart: ['s3:PutObject'],
  UploadPartCopy: ['s3:GetObject', 's3:PutObject'],
  CompleteMultipartUpload: ['s3:PutObject'],
  AbortMultipartUpload: ['s3:AbortMultipartUpload'],
  ListMultipartUploads: ['s3:ListBucketMultipartUploads'],
  ListParts: ['s3:ListMultipartUploadParts'],
  ListObjectsV2: ['s3:ListBucket'],
  HeadBucket: ['s3:ListBucket'],
}
const doctorCalls: Readonly<Record<string, string>> = {
  GetBucketVersioning: 's3:GetBucketVersioning',
  GetBucketEncryption: 's3:GetEncryptionConfiguration',
  GetBucketLifecycleConfiguration: 's3:GetLifecycleConfiguration',
  GetBucketPolicyStatus: 's3:GetBucketPolicyStatus',
  GetPublicAccessBlock: 's3:GetBucketPublicAccessBlock',
  GetBucketLogging: 's3:GetBucketLogging',
  GetBucketLocation: 's3:GetBucketLocation',
}
const allowed = (statements: readonly Node[], kind: string) =>
  [...new Set(statements.flatMap((each) => textsAt(each, 'Action')))]
    .filter((action) => action.startsWith(kind))
    .sort()
const sorted = (names: Iterable<string>) => [...new Set(names)].sort()

void t.test('IAM: the service may do what its calls take, and nothing else', async (t) => {
  const bucket = await readPolicy('service-bucket.json', values)
  t.same(allowed(bucket, 's3:'), sorted(Object.values(storeCalls).flat()))
  t.same(allowed(bucket, 'kms:'), ['kms:Decrypt', 'kms:GenerateDataKey'])
  const throughS3 = bucket.find((each) => textsAt(each, 'Action').includes('kms:Decrypt'))
  t.match(at(throughS3, 'Condition', 'StringEquals'), {
    'kms:ViaService': 's3.eu-central-1.amazonaws.com',
    'kms:EncryptionContext:aws:s3:arn': values.bucket_arn,
  })
  for (const each of bucket) {
    t.notMatch(textsAt(each, 'Action').join(), /\*/)
    t.ok(Object.values(values).some((arn) => textsAt(each, 'Resource').join().startsWith(arn)))
  }
})

void t.test(
  'IAM: the master key wraps for what the service wraps, and is never seen',
  async (t) => {
    const policy = await readPolicy('service-master-key.json', values)
    const source = await readFile(join(root, 'src/keys/aws-kms-key-provider.ts'), 'utf8')
    const made = [...source.matchAll(/new (\w+)Command\(/g)].map(([, name]) => `kms:${name}`)
    t.same(allowed(policy, 'kms:'), sorted(made), 'the calls the provider makes')
    t.same(allowed(policy, 's3:'), [])
    const context = at(policy[0], 'Condition', 'StringEquals', 'kms:EncryptionContext:use')
    t.same(context, ['check', 'index-key', 'signing-key', 'user-key'])
    t.equal(at(policy[0], 'Resource'), values.master_key_arn)
  },
)

void t.test('IAM: the doctor reads how the bucket is set, and no file', async (t) => {
  const policy = await readPolicy('doctor.json', values)
  t.same(allowed(policy, ''), sorted(Object.values(doctorCalls)))
  for (const each of policy) t.equal(at(each, 'Resource'), values.bucket_arn)
})

void t.test('IAM: the buckets refuse what is not over TLS', async (t) => {
  for (const [file, arn] of [
    ['bucket-policy.json', values.bucket_arn],
    ['log-bucket-policy.json', values.log_bucket_arn],
  ] as const) {
    const policy = await readPolicy(file, values)
    const tls = policy.find((each) => at(each, 'Sid') === 'OnlyOverTls')
    t.match(tls, { Effect: 'Deny', Principal: '*', Action: 's3:*' })
    t.same(at(tls, 'Condition'), { Bool: { 'aws:SecureTransport': 'false' } })
    t.same(at(tls, 'Resource'), [arn, `${arn}/*`])
    const open = policy.filter(
      (each) => at(each, 'Effect') === 'Allow' && at(each, 'Principal') === '*',
    )
    t.same(open, [], 'nothing is allowed to all')
  }
})
