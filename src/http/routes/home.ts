import { createHash } from 'node:crypto'
import type { App } from '../app-type.js'

const style = `
body { max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem; font: 1rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { padding: .8rem 1rem; overflow-x: auto; border: 1px solid #8886; border-radius: .4rem; }
:root { color-scheme: light dark; }
`

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Strongroom</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Strongroom</h1>
<p>This service keeps files for healthcare portals. Each file is sealed under keys of the people
it concerns, sent and received as a stream, and every access to it is on record.</p>
<p>There is nothing to see here without a token. Portals and their programs use the HTTP calls:</p>
<ul>
<li><a href="/api/reference/">The calls, to read and to try</a></li>
<li><a href="/api/openapi.json">The same as an OpenAPI document</a></li>
<li><a href="/health/ready">Whether the service is ready</a></li>
</ul>
<h2>A first upload</h2>
<pre>TOKEN=$(npm run --silent token -- --user anna --role patient)
curl -H "Authorization: Bearer $TOKEN" -F file=@report.pdf \\
  http://127.0.0.1:8006/api/files/upload
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8006/api/files/user</pre>
</main>
</body>
</html>
`

const styleHash = createHash('sha256').update(style).digest('base64')
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** `GET /`: one plain page that says what this is. */
export function homeRoute(app: App): void {
  app.get('/', { schema: { hide: true } }, (_request, reply) =>
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(page),
  )
}
