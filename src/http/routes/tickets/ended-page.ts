import { createHash } from 'node:crypto'
import type { RefusalPage } from '../../plugins/problem.js'

const style = `
body { max-width: 34rem; margin: 18vh auto 0; padding: 0 1.25rem; font: 1rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.4rem; }
small { opacity: .7; }
:root { color-scheme: light dark; }
`
const styleSource = `'sha256-${createHash('sha256').update(style).digest('base64')}'`

const said = {
  over: [
    'This link has ended',
    'It was good for a short time, and for the browser that opened it first. Go back to the page you came from and open the document there once more.',
  ],
  refused: [
    'This document cannot be shown',
    'It is no longer there, or no longer open to you. Go back to the page you came from to see what is.',
  ],
  away: [
    'Not at this moment',
    'The document is there, but cannot be shown just now. Please try again in a minute.',
  ],
} as const

function page([title, text]: readonly [string, string], requestId: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${text}</p>
<p><small>${requestId}</small></p>
</main>
</body>
</html>
`
}

/** Says to a person why a ticket does not serve them. */
export function endedPage(frameAncestors: readonly string[]): RefusalPage {
  const policy = `default-src 'none'; style-src ${styleSource}; frame-ancestors ${frameAncestors.join(' ')}`
  return (status, requestId) => {
    const words = status === 410 ? said.over : status >= 500 ? said.away : said.refused
    return { policy, html: page(words, requestId) }
  }
}
