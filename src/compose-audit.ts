import { auditLog } from './audit/audit-log.js'
import { auditReports } from './audit/audit-reports.js'
import { auditRetention } from './audit/audit-retention.js'
import { type SealedWriter } from './audit/audit-writer.js'
import { auditKeys } from './audit/event-code.js'
import { keepSealing } from './audit/keep-sealing.js'
import type { MonthParts } from './audit/ports.js'
import { putHeadsOutside } from './audit/put-heads-outside.js'
import { sealer } from './audit/seal-events.js'
import { verifyAudit } from './audit/verify-audit.js'
import { verifyLog } from './audit/verify-log.js'
import type { Config } from './config.js'
import type { SigningKey } from './crypto/signing-key.js'
import type { AllStores } from './db/stores.js'
import { anchorFile } from './integrations/anchor-file.js'
import { anchorWebhook } from './integrations/anchor-webhook.js'
import { monthFiles } from './integrations/month-files.js'
import type { IndexHash } from './keys/index-hash.js'
import { mayReadAudit } from './people/policy.js'
import type { Meter } from './ports/meter.js'
import type { Transactions } from './ports/transactions.js'

interface Parts {
  readonly config: Pick<Config, 'audit'>
  readonly db: Transactions<AllStores>
  readonly hash: Pick<IndexHash, 'of'>
  readonly signingKey: SigningKey
  readonly writer: SealedWriter
  readonly isAlone: boolean
  readonly monthParts: MonthParts
  readonly onProblem: (error: unknown) => void
  readonly meter?: Pick<Meter, 'eventsSealed'> | undefined
}

/** What makes the audit log one that shows what was done to it. */
export async function wireAudit(parts: Parts) {
  const { config, db, hash, signingKey, onProblem } = parts
  const keys = auditKeys(hash)
  const { sealEveryMs, anchorEveryMs } = config.audit
  const anchor = openAnchor(config.audit.anchor)
  const seals = sealer({ ...parts, keys })
  const onHead = putHeadsOutside({ anchor, signingKey, everyMs: anchorEveryMs })
  const sealing = await keepSealing({
    ...{ sealer: seals, everyMs: sealEveryMs, onHead, onProblem },
    makeMonths: () => db.stores.seals.makeMonths(),
  })
  const verify = verifyAudit({
    ...{
      db,
      sealNow: sealing.sealNow,
      publicKey: signingKey.publicKey,
      verifyLog: verifyLog({ db, keys }),
    },
    head: () => seals.head(),
    writerId: parts.writer.writerId,
    keptHeads: async () => (anchor !== undefined && 'read' in anchor ? await anchor.read() : []),
    settleMs: 2 * sealEveryMs + 1_000,
  })
  const audit = auditLog(db)
  const retention = auditRetention({
    ...{ db, signingKey, verify, files: monthFiles(), monthParts: parts.monthParts },
    head: () => seals.head(),
    years: config.audit.retentionYears,
  })
  return {
    verify,
    retention,
    reports: auditReports({ audit, db, mayRead: mayReadAudit }),
    status: () => {
      const { number, digest, total } = seals.head()
      const since = parts.writer.oldest()
      return {
        waiting: parts.writer.waiting(),
        lag_ms: since === undefined ? 0 : Math.max(Date.now() - since.getTime(), 0),
        head: { seal: number, digest: Buffer.from(digest).toString('hex'), events: total },
      }
    },
    close: async () => {
      await sealing.close()
      if (anchor !== undefined && 'close' in anchor) await anchor.close()
    },
  }
}

function openAnchor(place: Config['audit']['anchor']) {
  if (place === undefined) return undefined
  return 'url' in place ? anchorWebhook(place.url) : anchorFile(place.file)
}
