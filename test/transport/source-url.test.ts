// Goal: only an address of a share on loopback is taken, by the host that it stands for and not by its spelling.
// Method: tables of addresses with the code of the refusal or the host expected; listen addresses likewise.

import fc from 'fast-check'
import { fastify } from 'fastify'
import { describe, expect, test } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { isLoopbackAddress, listenOnLoopback, parseListenAddress } from '../../transport/loopback.ts'
import { asSourceUrl } from '../../transport/source-url.ts'

function codeOf(work: () => unknown): string {
  try {
    return `taken: ${JSON.stringify(work())}`
  } catch (error) {
    return error instanceof ReplicationError && error.hint !== '' ? error.code : `not one of ours: ${String(error)}`
  }
}

describe('the address of a share', () => {
  test.each([
    ['http://127.0.0.1:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['HTTP://127.0.0.1:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['http://localhost:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['http://LOCALHOST:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['http://[::1]:7700/shares/SG1', '::1', 'http://[::1]:7700/shares/SG1'],
    ['http://127.1:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['http://0x7f000001:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['http://2130706433:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['http://0177.0.0.1:7700/shares/SG1', '127.0.0.1', 'http://127.0.0.1:7700/shares/SG1'],
    ['http://127.9.9.9:80/shares/SG1', '127.9.9.9', 'http://127.9.9.9:80/shares/SG1'],
    ['http://[::ffff:127.0.0.1]:7700/shares/SG1', '::ffff:7f00:1', 'http://[::ffff:7f00:1]:7700/shares/SG1'],
    [
      'http://127.0.0.1:7700/shares/First%20Storage%20Group',
      '127.0.0.1',
      'http://127.0.0.1:7700/shares/First%20Storage%20Group',
    ],
  ])('%s is taken', (text, host, href) => {
    expect(asSourceUrl(text)).toMatchObject({ host, href })
  })

  test.each([
    ['', 'URL_INVALID'],
    ['SG1', 'URL_INVALID'],
    ['127.0.0.1:7700/shares/SG1', 'URL_INVALID'],
    ['https://127.0.0.1:7700/shares/SG1', 'URL_INVALID'],
    ['file:///shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:0/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:65536/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:7700', 'URL_INVALID'],
    ['http://127.0.0.1:7700/', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/SG1/', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/SG1/logs', 'URL_INVALID'],
    ['http://127.0.0.1:7700/x/../shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/SG1?a=1', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/SG1?', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/SG1#x', 'URL_INVALID'],
    ['http://user@127.0.0.1:7700/shares/SG1', 'URL_INVALID'],
    ['http://user:pass@127.0.0.1:7700/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:7700@evil.example:80/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:7700\\shares\\SG1', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/SG1\n', 'URL_INVALID'],
    ['http:// 127.0.0.1:7700/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/%zz', 'URL_INVALID'],
    [`http://127.0.0.1:7700/shares/${'a'.repeat(600)}`, 'URL_INVALID'],
    ['http://127.0.0.1:7700/shares/..', 'NAME_INVALID'],
    ['http://127.0.0.1:7700/shares/..%2fetc', 'NAME_INVALID'],
    ['http://127.0.0.1:7700/shares/a%00', 'NAME_INVALID'],
    [`http://127.0.0.1:7700/shares/${'a'.repeat(65)}`, 'NAME_INVALID'],
    ['http://10.0.0.1:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://0.0.0.0:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://0:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://[::]:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://[::ffff:10.0.0.1]:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://localhost.:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://localhost.evil.example:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://127.0.0.1.nip.io:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://node1:7700/shares/SG1', 'BIND_REFUSED'],
    ['http://[::1:7700/shares/SG1', 'URL_INVALID'],
    ['http://127.0.0.256:7700/shares/SG1', 'URL_INVALID'],
  ])('%j is refused with %s', (text, code) => {
    expect(codeOf(() => asSourceUrl(text))).toBe(code)
  })

  test('is loopback or refused in our own words, whatever is written', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.string(),
          fc.webAuthority().map((host) => `http://${host}/shares/SG1`),
        ),
        (text) => {
          const outcome = codeOf(() => isLoopbackAddress(asSourceUrl(text).host))
          return outcome === 'taken: true' || /^(URL_INVALID|NAME_INVALID|BIND_REFUSED)$/.test(outcome)
        },
      ),
    )
  })
})

describe('an address to listen on', () => {
  test.each([
    ['127.0.0.1:7700', { host: '127.0.0.1', port: 7700 }],
    ['localhost:0', { host: '127.0.0.1', port: 0 }],
    ['[::1]:7700', { host: '::1', port: 7700 }],
    ['127.1.2.3:65535', { host: '127.1.2.3', port: 65_535 }],
  ])('%s is taken', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address)
  })

  test.each([
    ['', 'USAGE'],
    ['7700', 'USAGE'],
    ['127.0.0.1', 'USAGE'],
    ['127.0.0.1:', 'USAGE'],
    ['127.0.0.1:65536', 'USAGE'],
    ['127.0.0.1:7700x', 'USAGE'],
    ['::1:7700', 'USAGE'],
    ['[127.0.0.1]:7700', 'USAGE'],
    ['[]:7700', 'USAGE'],
    [':7700', 'BIND_REFUSED'],
    ['0.0.0.0:7700', 'BIND_REFUSED'],
    ['[::]:7700', 'BIND_REFUSED'],
    ['10.0.0.1:7700', 'BIND_REFUSED'],
    ['*:7700', 'BIND_REFUSED'],
    ['127.1:7700', 'BIND_REFUSED'],
    ['node1:7700', 'BIND_REFUSED'],
  ])('%j is refused with %s', (text, code) => {
    expect(codeOf(() => parseListenAddress(text))).toBe(code)
  })
})

describe('listening', () => {
  test('on a port that is taken says which and what to do', async () => {
    const [first, second] = [fastify(), fastify()]
    const { port, origin } = await listenOnLoopback(first, { host: '127.0.0.1', port: 0 })

    const refusal = await listenOnLoopback(second, { host: '127.0.0.1', port }).catch((error: unknown) => error)

    expect(origin).toBe(`http://127.0.0.1:${port}`)
    expect(refusal).toMatchObject({ code: 'PORT_IN_USE', message: `127.0.0.1:${port} is in use`, retriable: true })
    await Promise.all([first.close(), second.close()])
  })

  test('on an address that is not loopback is refused even when it was not parsed here', async () => {
    const app = fastify()

    await expect(listenOnLoopback(app, { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({ code: 'BIND_REFUSED' })
    await app.close()
  })
})
