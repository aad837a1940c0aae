import { rawPost, rawRequest } from './raw-http.ts'

/** A command that is answered with 200 when its body is right. */
export const SUSPEND = '/api/v1/copies/SG1/suspend'
const GET = 'GET /api/v1/copies HTTP/1.1'
const JSON_TYPE = 'Content-Type: application/json'
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

/** What a stranger sends, and what it is answered. */
export interface Row {
  readonly name: string
  readonly bytes: string | Uint8Array
  readonly status: number | 'closed'
  /** Sends FIN after the bytes. */
  readonly end?: boolean
}

const row = (name: string, bytes: Row['bytes'], status: Row['status'], end = false): Row => ({
  name,
  bytes,
  status,
  end,
})

/** Rows that mean the same on every listener, told for the management API. */
const FRAMING: readonly Row[] = [
  row(
    'a content length above the limit',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: 5000000000'], '{'),
    413,
  ),
  row(
    'a chunked body above the limit',
    rawRequest(
      `POST ${SUSPEND} HTTP/1.1`,
      [JSON_TYPE, 'Transfer-Encoding: chunked'],
      `${chunk(' '.repeat(60_000))}0\r\n\r\n`,
    ),
    413,
  ),
  row(
    'a negative content length',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: -5'], '{}'),
    400,
  ),
  row(
    'a content length with a sign',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: +2'], '{}'),
    400,
  ),
  row(
    'a hexadecimal content length',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: 0x2'], '{}'),
    400,
  ),
  row(
    'two different content lengths',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: 2', 'Content-Length: 3'], '{}'),
    400,
  ),
  row(
    'two equal content lengths',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: 2', 'Content-Length: 2'], '{}'),
    400,
  ),
  row(
    'content length and chunks',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    400,
  ),
  row(
    'an unknown transfer encoding',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Transfer-Encoding: xchunked'], '0\r\n\r\n'),
    400,
  ),
  row(
    'a space before the colon',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Transfer-Encoding : chunked'], '0\r\n\r\n'),
    400,
  ),
  row('a folded header', rawRequest(GET, ['X-A: 1', ' 2']), 400),
  row('bare line feeds', 'GET /livez HTTP/1.1\nHost: 127.0.0.1\n\n', 400),
  row('a bare carriage return in a header', rawRequest(GET, ['X-A: 1\r2']), 400),
  row('a NUL in a header', rawRequest(GET, ['X-A: \0']), 400),
  row('no Host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', 400),
  row('two Hosts', rawRequest(GET, ['Host: evil.example']), 400),
  row('the same Host twice', rawRequest(GET, ['Host: 127.0.0.1']), 400),
  row('a target in absolute form', rawRequest('GET http://127.0.0.1/livez HTTP/1.1'), 400),
  row('an asterisk as target', rawRequest('GET * HTTP/1.1'), 400),
  row('CONNECT', rawRequest('CONNECT example.org:443 HTTP/1.1'), 'closed'),
  row('an upgrade to h2c', rawRequest(GET, ['Connection: Upgrade', 'Upgrade: h2c']), 400),
  row('an Upgrade header alone', rawRequest(GET, ['Upgrade: websocket']), 400),
  row(
    'a hundred headers',
    rawRequest(
      GET,
      Array.from({ length: 100 }, (_, index) => `X-${index}: 1`),
    ),
    400,
  ),
  row('a header of 9 KB', rawRequest(GET, [`X-A: ${'a'.repeat(9_000)}`]), 431),
  row('a target of 9 KB', rawRequest(`GET /${'a'.repeat(9_000)} HTTP/1.1`), 431),
  row('an encoded body', rawPost(SUSPEND, '{}', ['Content-Encoding: gzip']), 415),
  row('a GET with a body', rawRequest(GET, ['Content-Length: 2'], '{}'), 400),
  row('HTTP/1.0', 'GET /livez HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n', 400),
  row('HTTP/0.9', 'GET /livez\r\n\r\n', 400),
  row('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400),
  row('a TLS hello', Buffer.from('16030100c8010000c40303', 'hex'), 400),
  row('4 KB of 0xFF', Buffer.alloc(4_096, 0xff), 400),
  row('an expectation nobody can meet', rawPost(SUSPEND, '{}', ['Expect: 200-evil']), 417),
  row(
    'a body that is cut off',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, [JSON_TYPE, 'Content-Length: 20'], '{'),
    400,
    true,
  ),
]

const FOREIGN: readonly Row[] = [
  row('a foreign Host', 'GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n', 421),
  row('a Host that only looks like loopback', 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1.nip.io\r\n\r\n', 421),
  row('a Host with a path in it', 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n', 400),
  row('a cross-site request', rawRequest(GET, ['Sec-Fetch-Site: cross-site']), 403),
  row('a same-site request of another origin', rawRequest(GET, ['Sec-Fetch-Site: same-site']), 403),
  row('a foreign Origin', rawPost(SUSPEND, '{}', ['Origin: http://evil.example']), 403),
  row('the Origin of a sandbox', rawPost(SUSPEND, '{}', ['Origin: null']), 403),
  row('a preflight', rawRequest(`OPTIONS ${SUSPEND} HTTP/1.1`, ['Origin: http://127.0.0.1']), 405),
  row('TRACE', rawRequest('TRACE /livez HTTP/1.1'), 405),
  row('PUT', rawRequest('PUT /api/v1/copies HTTP/1.1', ['Content-Length: 0']), 405),
  row('DELETE', rawRequest('DELETE /api/v1/copies/SG1 HTTP/1.1'), 405),
  row('a method in a header', rawPost('/api/v1/copies/SG1', '{}', ['X-HTTP-Method-Override: DELETE']), 405),
  row('GET of a command', rawRequest(`GET ${SUSPEND} HTTP/1.1`), 405),
]

const PATHS: readonly Row[] = [
  ['dots in the path', '/api/v1/copies/../../etc/passwd', 404],
  ['an encoded slash', '/api/v1/copies/..%2f', 400],
  ['a slash encoded twice', '/api/v1/copies/%252e%252e%252f', 400],
  ['a NUL in a name', '/api/v1/copies/SG1%00', 400],
  ['a percent sign without digits', '/api/v1/copies/%zz', 400],
  ['overlong UTF-8', '/api/v1/copies/%c0%ae', 400],
  ['a name of 65 characters', `/api/v1/copies/${'a'.repeat(65)}`, 414],
  ['a name of 300 characters', `/api/v1/copies/${'a'.repeat(300)}`, 414],
  ['an empty name', '/api/v1/copies/', 400],
  ['an unknown storage group', '/api/v1/copies/SG2', 404],
  ['a line break in a name', '/api/v1/copies/SG1%0d%0aX', 400],
  ['an unknown path', '/admin', 404],
  ['an unknown query', '/api/v1/events?since=1', 400],
  ['a negative number', '/api/v1/events?after=-1', 400],
  ['a number in hexadecimal', '/api/v1/events?limit=0x1', 400],
  ['a limit of 0', '/api/v1/events?limit=0', 400],
  ['a limit of 1001', '/api/v1/events?limit=1001', 400],
  ['a parameter twice', '/api/v1/events?after=1&after=2', 400],
].map(([name, path, status]) => row(String(name), rawRequest(`GET ${path} HTTP/1.1`), Number(status)))

const BODIES: readonly Row[] = [
  ['broken JSON', '{"comment":', 400],
  ['__proto__ in JSON', '{"__proto__":{"comment":"x"}}', 400],
  ['a constructor in JSON', '{"constructor":{"prototype":{}}}', 400],
  ['an extra property', '{"comment":"x","force":true}', 400],
  ['JSON of 6,000 levels', `{"comment":${'['.repeat(6_000)}${']'.repeat(6_000)}}`, 400],
  ['a list for a text', '{"comment":["x"]}', 400],
  ['a number for a text', '{"comment":1}', 400],
  ['null for a text', '{"comment":null}', 400],
  ['a list as body', '[]', 400],
  ['null as body', 'null', 400],
  ['a comment of 513 characters', JSON.stringify({ comment: 'x'.repeat(513) }), 400],
  ['a line break in a comment', '{"comment":"a\\nb"}', 400],
  ['an escape sequence in a comment', '{"comment":"\\u001b[2J"}', 400],
  ['a C1 control in a comment', '{"comment":"\\u009b2J"}', 400],
  ['half a surrogate pair in a comment', '{"comment":"\\ud800"}', 400],
].map(([name, json, status]) => row(String(name), rawPost(SUSPEND, String(json)), Number(status)))

const MARK = '/api/v1/shares/SG1/backup-mark'
const DISABLE = '/api/v1/shares/SG1/disable-copy'

const COMMANDS: readonly Row[] = [
  row('an empty body', rawRequest(`POST ${SUSPEND} HTTP/1.1`, ['Content-Length: 0']), 400),
  row(
    'a text body',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, ['Content-Type: text/plain', 'Content-Length: 2'], '{}'),
    415,
  ),
  row(
    'a form',
    rawRequest(
      `POST ${SUSPEND} HTTP/1.1`,
      ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 3'],
      'a=b',
    ),
    415,
  ),
  row(
    'a media type with a tab',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, ['Content-Type: application/json\ta', 'Content-Length: 2'], '{}'),
    415,
  ),
  row(
    'a media type with garbage',
    rawRequest(`POST ${SUSPEND} HTTP/1.1`, ['Content-Type: application/json garbage', 'Content-Length: 2'], '{}'),
    415,
  ),
  row('a body for resume', rawPost('/api/v1/copies/SG1/resume', '{"force":true}'), 400),
  row('a mark as text', rawPost(MARK, '{"through":"5"}'), 400),
  row('a mark of 0', rawPost(MARK, '{"through":0}'), 400),
  row('a mark below 0', rawPost(MARK, '{"through":-1}'), 400),
  row('a mark between two logs', rawPost(MARK, '{"through":1.5}'), 400),
  row('a mark of 1e308', rawPost(MARK, '{"through":1e308}'), 400),
  row('a mark that is no number', rawPost(MARK, '{"through":NaN}'), 400),
  row('a mark of nothing', rawPost(MARK, '{}'), 400),
  row('a mark for an unknown storage group', rawPost('/api/v1/shares/SG2/backup-mark', '{"through":1}'), 404),
  row('a copy id in upper case', rawPost(DISABLE, `{"copyId":"${'A'.repeat(32)}"}`), 400),
  row('a copy id that is a path', rawPost(DISABLE, '{"copyId":"../../../../../../../../../../x"}'), 400),
  row('suspension of an unknown storage group', rawPost('/api/v1/copies/SG2/suspend', '{}'), 404),
]

const LOG = '/shares/SG1/logs'

/** What the replication listener refuses. */
export const SHARE_ROWS: readonly Row[] = [
  ...[
    'abc',
    '0',
    '-1',
    '+1',
    '01',
    '1.0',
    '1e0',
    '0x1',
    '%201',
    '281474976710656',
    '9'.repeat(40),
    '1%00',
    'E0000000001.log',
  ].map((generation) => row(`generation ${generation}`, rawRequest(`GET ${LOG}/${generation} HTTP/1.1`), 400)),
  row('a path behind a generation', rawRequest(`GET ${LOG}/..%2f..%2fetc%2fpasswd HTTP/1.1`), 400),
  row('dots behind the share', rawRequest('GET /shares/SG1/logs/../../../etc/passwd HTTP/1.1'), 404),
  row('a log above those that are closed', rawRequest(`GET ${LOG}/6 HTTP/1.1`), 404),
  row('an unknown share', rawRequest('GET /shares/SG2/logs/1 HTTP/1.1'), 404),
  row('a share with a separator', rawRequest('GET /shares/a%2fb HTTP/1.1'), 400),
  row('a share of 300 characters', rawRequest(`GET /shares/${'a'.repeat(300)} HTTP/1.1`), 414),
  row('POST of a list', rawPost('/shares', '{}'), 413),
  row('a backup without what it is', rawPost('/shares/SG1/backups', '{}'), 400),
  row('a backup of a copy without an id', rawPost('/shares/SG1/backups', '{"ask":"continue","session":1}'), 400),
  row(
    'a backup with more than is asked',
    rawPost('/shares/SG1/backups', `{"ask":"continue","copyId":"${'0'.repeat(32)}","session":1,"more":1}`),
    400,
  ),
  row('a backup in a long body', rawPost('/shares/SG1/backups', JSON.stringify({ ask: 'x'.repeat(5_000) })), 413),
  row('a GET with chunks', rawRequest(`GET ${LOG}/1 HTTP/1.1`, ['Transfer-Encoding: chunked'], '0\r\n\r\n'), 400),
  row('two ranges in two headers', rawRequest(`GET ${LOG}/1 HTTP/1.1`, ['Range: bytes=0-1', 'Range: bytes=2-3']), 400),
  row('a wait above the limit', rawRequest('GET /shares/SG1/announcements?after=1&waitMs=25001 HTTP/1.1'), 400),
  row('a wait that is no number', rawRequest('GET /shares/SG1/announcements?after=1&waitMs=NaN HTTP/1.1'), 400),
  row('an announcement number twice', rawRequest('GET /shares/SG1/announcements?after=1&after=2 HTTP/1.1'), 400),
  row(
    'an event id that is none',
    rawRequest('GET /shares/SG1/announcements HTTP/1.1', ['Accept: text/event-stream', 'Last-Event-ID: x']),
    400,
  ),
  row(
    'an upgrade elsewhere',
    rawRequest('GET /shares/SG1 HTTP/1.1', ['Connection: Upgrade', 'Upgrade: ccr-log-stream/1']),
    400,
  ),
  row(
    'an upgrade to something else',
    rawRequest('GET /shares HTTP/1.1', ['Connection: Upgrade', 'Upgrade: websocket']),
    426,
  ),
  row(
    'an upgrade with a foreign Host',
    'GET /shares HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: ccr-log-stream/1\r\n\r\n',
    421,
  ),
  row(
    'an upgrade from a web page',
    rawRequest('GET /shares HTTP/1.1', [
      'Connection: Upgrade',
      'Upgrade: ccr-log-stream/1',
      'Origin: http://evil.example',
    ]),
    403,
  ),
  row(
    'an upgrade with a body',
    rawRequest('GET /shares HTTP/1.1', ['Connection: Upgrade', 'Upgrade: ccr-log-stream/1', 'Content-Length: 2'], '{}'),
    400,
  ),
]

/** What the management listener refuses. */
export const MANAGEMENT_ROWS: readonly Row[] = [...FRAMING, ...FOREIGN, ...PATHS, ...BODIES, ...COMMANDS]
