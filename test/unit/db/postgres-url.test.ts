import t from 'tap'
import { isVerified, readPostgresUrl, WrongPostgresUrl } from '../../../src/db/postgres-url.js'

void t.test('what a URL says', (t) => {
  t.match(readPostgresUrl('postgres://anna:p%40ss%2Fw@db.example:6432/strong%20room'), {
    ...{ host: 'db.example', port: 6432, user: 'anna', password: 'p@ss/w' },
    ...{ database: 'strong room', isSocket: false, tlsMode: undefined },
  })
  t.match(readPostgresUrl('postgresql://[::1]'), {
    ...{ host: '::1', port: 5432, user: undefined, password: undefined, database: undefined },
  })
  t.equal(readPostgresUrl('postgres:///name').host, 'localhost')
  t.match(readPostgresUrl('postgres:///name?host=/run/postgresql'), {
    ...{ host: '/run/postgresql', database: 'name', isSocket: true },
  })
  t.match(readPostgresUrl('postgres://%2Frun%2Fpostgresql/name'), {
    ...{ host: '/run/postgresql', isSocket: true },
  })
  t.equal(readPostgresUrl('postgres://h/n?options=-c+x%3Don').options, '-c x=on')
  t.equal(readPostgresUrl('postgres://h/n').applicationName, 'strongroom')
  const named = readPostgresUrl('postgres://h/n?application_name=portal-files')
  t.equal(named.applicationName, 'portal-files')
  const certificates = 'sslrootcert=/ca&sslcert=/cert&sslkey=/key'
  t.match(readPostgresUrl(`postgres://h/n?sslmode=verify-full&${certificates}`), {
    ...{ rootCertFile: '/ca', certFile: '/cert', keyFile: '/key', tlsMode: 'verify-full' },
  })
  t.end()
})

void t.test('who answers is certain only of what a certificate was held against', (t) => {
  const of = (query: string) => isVerified(readPostgresUrl(`postgres://h/n?${query}`))
  t.notOk(of(''))
  t.notOk(of('sslmode=disable'))
  t.notOk(of('sslmode=require'))
  t.ok(of('sslmode=require&sslrootcert=/ca'))
  t.ok(of('sslmode=verify-ca&sslrootcert=/ca'))
  t.ok(of('sslmode=verify-full'))
  t.end()
})

void t.test('what would be passed over, or mean something else, is refused', (t) => {
  for (const [url, expected] of [
    ['hunter2', /a URL/],
    ['http://hunter2', /a URL/],
    ['postgres://u:hunter2@h/n?sslmode=prefer', /sslmode to be one of/],
    ['postgres://u:hunter2@h/n?sslmode=no-verify', /sslmode to be one of/],
    ['postgres://u:hunter2@h/n?ssl=true', /no other parameter/],
    ['postgres://u:hunter2@h/n?sslMode=verify-full', /no other parameter/],
    ['postgres://u:hunter2@h/n?sslmode=verify-full&sslmode=disable', /once/],
    ['postgres://u:hunter2@h/n?target_session_attrs=any', /no other parameter/],
    ['postgres://u:hunter2%@h/n', /%25/],
    ['postgres://u:hunter2@h/n?host=/run', /folder of a socket/],
    ['postgres:///n?host=hunter2', /folder of a socket/],
    ['postgres:///n?host=/run&sslmode=verify-full', /no sslmode on a socket/],
    ['postgres://%2Frun/n?sslmode=require', /no sslmode on a socket/],
    ['postgres://%2Frun/n?host=/run', /folder of a socket/],
    ['postgres://u:hunter2@h/n?sslrootcert=/ca', /an sslmode with/],
    ['postgres://u:hunter2@h/n?sslmode=disable&sslcert=/c&sslkey=/k', /an sslmode with/],
    ['postgres://u:hunter2@h/n?sslmode=verify-ca', /sslrootcert with/],
    ['postgres://u:hunter2@h/n?sslmode=verify-full&sslcert=/c', /both sslcert and sslkey/],
  ] as const) {
    const error = t.throws(() => readPostgresUrl(url), WrongPostgresUrl, url)
    t.match(error, { message: expected }, url)
    t.notMatch(String(error), /hunter2/)
  }
  t.end()
})
