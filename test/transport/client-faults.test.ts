// Goal: whatever answers in a source's place, the client says what is wrong, waits no longer than its limits, and takes nothing.
// Method: impostors on raw sockets that answer with given bytes, slowly, in part or not at all.
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { answer, Collected, failure, HEAD, SHORT, Stage } from './impostor.ts'

const stage = new Stage()
afterEach(() => stage.close())

const FIRST = asGeneration(1)
/** Where the time does not matter: a busy machine must not make a time-out of another fault. */
const PATIENT = { logBytesMax: 10_000 }

/** Answers that are not as agreed, by name. */
const WRONG: readonly (readonly [name: string, bytes: string])[] = [
  ['a redirect', answer('302 Found', { location: 'http://127.0.0.1:1/', 'content-length': '0' })],
  ['a 204', answer('204 No Content', {})],
  [
    'a 206 that was not asked for',
    answer('206 Partial Content', { ...HEAD, 'content-range': 'bytes 0-7/8' }, 'abcdefgh'),
  ],
  ['a 500 of somebody else', answer('500 Oops', { 'content-length': '4' }, 'oops')],
  [
    'a problem with an unknown code',
    answer('404 Not Found', { 'content-length': '46' }, '{"code":"HACKED","detail":"x","hint":"y"}     '),
  ],
  [
    'a problem with an escape sequence',
    answer('404 Not Found', { 'content-length': '55' }, '{"code":"LOG_MISSING","detail":"\\u001b[2J","hint":"y"}  '),
  ],
  ['gzip', answer('200 OK', { ...HEAD, 'content-encoding': 'gzip' }, 'abcdefgh')],
  ['no content length', answer('200 OK', { ...HEAD, 'content-length': null }, 'abcdefgh')],
  [
    'chunks without an end',
    answer('200 OK', { ...HEAD, 'content-length': null, 'transfer-encoding': 'chunked' }, '8\r\nabcdefgh\r\n'),
  ],
  ['two content lengths', answer('200 OK', HEAD, '').replace('\r\n\r\n', '\r\ncontent-length: 9\r\n\r\nabcdefgh')],
  ['a log above the limit', answer('200 OK', { ...HEAD, 'content-length': '10001' }, 'abcdefgh')],
  ['no checksum', answer('200 OK', { ...HEAD, 'x-ccr-checksum': null }, 'abcdefgh')],
  ['a checksum of another kind', answer('200 OK', { ...HEAD, 'x-ccr-checksum': 'ABCDEF' }, 'abcdefgh')],
  [
    'two checksums',
    answer('200 OK', HEAD, '').replace('\r\n\r\n', '\r\nx-ccr-checksum: 0123456789abcdef\r\n\r\nabcdefgh'),
  ],
  ['a name that is a path', answer('200 OK', { ...HEAD, 'x-ccr-log-name': '..%2Fetc%2Fpasswd' }, 'abcdefgh')],
  ['a name with a NUL', answer('200 OK', { ...HEAD, 'x-ccr-log-name': 'E00%00' }, 'abcdefgh')],
  ['a time that is none', answer('200 OK', { ...HEAD, 'x-ccr-log-time': 'yesterday' }, 'abcdefgh')],
  ['no tag', answer('200 OK', { ...HEAD, etag: null }, 'abcdefgh')],
  ['a weak tag', answer('200 OK', { ...HEAD, etag: 'W/"x"' }, 'abcdefgh')],
  ['a head of 20 KB', answer('200 OK', { ...HEAD, 'x-a': 'a'.repeat(20_000) }, 'abcdefgh')],
  ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n'],
]

const GONE: readonly (readonly [name: string, bytes: string])[] = [
  ['nothing', ''],
  ['half a head', 'HTTP/1.1 200 OK\r\ncontent-'],
]

describe('a source that is not as agreed', () => {
  test.each(WRONG)('that sends %s is refused', async (_name, bytes) => {
    const source = await stage.impostor((socket) => socket.end(bytes))
    const sink = new Collected()

    const error = await failure(stage.client(PATIENT).fetchLog(source, FIRST, { sink }))

    expect(error.code).toBe('WIRE_PROTOCOL')
    expect(error.message).toContain('log 00000001 of SG1')
    expect(sink.begun).toEqual([])
  })

  test.each(GONE)('that closes after %s is unreachable', async (_name, bytes) => {
    const source = await stage.impostor((socket) => socket.end(bytes))

    const error = await failure(stage.client(PATIENT).fetchLog(source, FIRST, { sink: new Collected() }))

    expect(error.code).toBe('NODE_UNREACHABLE')
  })

  test('that always stops early is given up when an attempt brings nothing', async () => {
    let connections = 0
    const source = await stage.impostor((socket, request) => {
      connections += 1
      const part = { 'content-length': '3', 'content-range': 'bytes 5-7/8' }
      socket.end(
        request.includes('range')
          ? answer('206 Partial Content', { ...HEAD, ...part })
          : answer('200 OK', HEAD, 'abcde'),
      )
    })

    const error = await failure(stage.client(PATIENT).fetchLog(source, FIRST, { sink: new Collected() }))

    expect(error.code).toBe('NODE_UNREACHABLE')
    expect(error.message).toContain('5 of 8 bytes came')
    expect(connections).toBe(2)
  })

  test('that resumes with another log is refused', async () => {
    const source = await stage.impostor((socket, request) => {
      const other = { ...HEAD, 'content-length': '3', 'content-range': 'bytes 5-7/8', etag: '"other"' }
      socket.end(
        request.includes('range') ? answer('206 Partial Content', other, 'xyz') : answer('200 OK', HEAD, 'abcde'),
      )
    })

    expect((await failure(stage.client(PATIENT).fetchLog(source, FIRST, { sink: new Collected() }))).code).toBe(
      'LOG_CHANGED',
    )
  })

  test('that is not there is unreachable', async () => {
    const { source, app } = await stage.share()
    await app.close()

    const error = await failure(stage.client(PATIENT).describeShare(source))

    expect(error).toMatchObject({ code: 'NODE_UNREACHABLE', retriable: true })
    expect(error.message).toContain(source.origin)
  })

  test('that never answers, stops in the middle, or drips for ever ends in a time-out', async () => {
    const drip = (socket: Socket, bytes: string) => {
      const timer = setInterval(() => socket.write(bytes), 20)
      socket.on('close', () => clearInterval(timer))
    }
    const silent = await stage.impostor(() => undefined)
    const halfway = await stage.impostor((socket) => socket.write(answer('200 OK', HEAD, 'abc')))
    const drippingHead = await stage.impostor((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      drip(socket, 'x-a: 1\r\n')
    })
    const drippingBody = await stage.impostor((socket) => {
      socket.write(answer('200 OK', { ...HEAD, 'content-length': '9000' }))
      drip(socket, 'x')
    })

    for (const source of [silent, halfway, drippingHead, drippingBody])
      expect((await failure(stage.client(SHORT).fetchLog(source, FIRST, { sink: new Collected() }))).code).toBe(
        'TRANSFER_TIMEOUT',
      )
  })

  test('that describes its share as nobody may is refused', async () => {
    const good = { share: 'SG1', format: { kind: 'ese', baseName: 'E00' }, announcementNumber: 1 }
    const announcement = { lowest: 1, closedThrough: 5, generated: 5, missing: 0, truncatedBelow: 0, logTimeMs: 0 }
    const documents: [unknown, string][] = [
      [null, 'WIRE_PROTOCOL'],
      [[], 'WIRE_PROTOCOL'],
      [good, 'WIRE_PROTOCOL'],
      [{ ...good, announcement: { ...announcement, closedThrough: 6 } }, 'WIRE_PROTOCOL'],
      [{ ...good, announcement: { ...announcement, lowest: 2 ** 48 } }, 'WIRE_PROTOCOL'],
      [{ ...good, announcement: { ...announcement, generated: '5' } }, 'WIRE_PROTOCOL'],
      [{ ...good, announcement, share: 'SG2' }, 'WIRE_PROTOCOL'],
      [{ ...good, announcement, format: { kind: 'numbered', pattern: '(?<hex>(a+)+)' } }, 'LOG_FORMAT_INVALID'],
      [{ ...good, announcement, padding: 'x'.repeat(70_000) }, 'WIRE_PROTOCOL'],
    ]
    for (const [document, code] of documents) {
      const body = JSON.stringify(document)
      const source = await stage.impostor((socket) =>
        socket.end(answer('200 OK', { 'content-length': String(body.length) }, body)),
      )

      expect((await failure(stage.client(PATIENT).describeShare(source))).code, body.slice(0, 200)).toBe(code)
    }
  })
})
