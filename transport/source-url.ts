import { isIPv6 } from 'node:net'
import { ReplicationError } from '../engine/error.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import { isLoopbackAddress } from './loopback.ts'
import { sharePath } from './share-paths.ts'

/** The address of one share, taken apart. */
export interface SourceUrl {
  /** The whole address in its one canonical spelling. */
  readonly href: string
  /** `http://HOST:PORT`. */
  readonly origin: string
  /** A loopback IP address, without brackets. */
  readonly host: string
  readonly port: number
  /** Name of the storage group. */
  readonly share: string
}

/** The longest address taken, in characters: a host, a port and a name of 64 characters, each percent-encoded. */
const URL_CHARACTERS_MAX = 512

const EXAMPLE = 'Write it as in http://127.0.0.1:7700/shares/SG1 ("ccr share" prints the address when it starts).'

/**
 * Takes in the address of a share as a user writes it: `http://HOST:PORT/shares/SG1`, nothing before and nothing after.
 *
 * What counts is the address that the host stands for, not its spelling: `127.1`, `0x7f000001` and `[::ffff:127.0.0.1]` are
 * loopback, while a name other than `localhost` may be anything tomorrow and is refused.
 *
 * Errors: `URL_INVALID` for anything else than that shape, `NAME_INVALID` for the storage group's name, `BIND_REFUSED` for a
 * host that is not loopback.
 */
export function asSourceUrl(text: string): SourceUrl {
  const parts = /^http:\/\/([^/?#\\@\s]+):(\d{1,5})\/shares\/([^/?#\\\s]+)$/i.exec(text)
  if (parts === null || text.length > URL_CHARACTERS_MAX) throw urlInvalid(text, reasonOf(text))
  const [, written = '', digits = '', name = ''] = parts
  const port = Number(digits)
  if (port < 1 || port > 65_535) throw urlInvalid(text, EXAMPLE)
  const host = loopbackHost(written, text)
  const share = asStorageGroupName(decodedName(name, text))
  const origin = `http://${isIPv6(host) ? `[${host}]` : host}:${port}`
  return { href: `${origin}${sharePath(share)}`, origin, host, port, share }
}

/** The IP address behind what was written, by the rules that browsers and Node use for URLs. */
function loopbackHost(written: string, text: string): string {
  const url = `http://${written}/`
  if (!URL.canParse(url)) throw urlInvalid(text, EXAMPLE)
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  // The listener takes `localhost` for 127.0.0.1 too, so both ends mean the same address whatever a hosts file says.
  if (host === 'localhost') return '127.0.0.1'
  if (isLoopbackAddress(host)) return host
  throw new ReplicationError({
    code: 'BIND_REFUSED',
    message: `${host.slice(0, 80)} is not a loopback address`,
    hint: 'A source on another machine needs TLS and credentials, which this version does not have yet. Use a tunnel such as "ssh -L 7700:127.0.0.1:7700 HOST" and http://127.0.0.1:7700/shares/SG1.',
  })
}

function decodedName(name: string, text: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    throw urlInvalid(text, 'A percent sign in the name is followed by two hexadecimal digits; a space is %20.')
  }
}

/** What is most likely wrong with an address that does not have the shape, so that the hint fits. */
function reasonOf(text: string): string {
  if (/^https:/i.test(text)) return `This version has no TLS yet. ${EXAMPLE}`
  if (!/^http:\/\//i.test(text)) return EXAMPLE
  if (text.includes('@')) return `Leave user name and password out. ${EXAMPLE}`
  if (/[?#]/.test(text)) return `Leave everything from "?" or "#" on out. ${EXAMPLE}`
  if (/^http:\/\/[^/]*[^/\d:][^/:]*\//i.test(text)) return `Name the port too. ${EXAMPLE}`
  return EXAMPLE
}

function urlInvalid(text: string, hint: string): ReplicationError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}… (${text.length} characters)` : text
  return new ReplicationError({
    code: 'URL_INVALID',
    message: `${JSON.stringify(shown)} is no address of a share`,
    hint,
  })
}
