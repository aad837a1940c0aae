import { BlockList, isIP, isIPv6 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { ReplicationError } from '../engine/error.ts'

/** Where a listener is to bind. */
export interface ListenAddress {
  /** An IP address without brackets, or `localhost`. */
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
}

/** Where a listener did bind. */
export interface BoundAddress extends ListenAddress {
  /** `http://HOST:PORT`, with brackets around an IPv6 address. */
  readonly origin: string
}

/** `HOST:PORT` as a URL has it: an IPv6 address stands in brackets. */
export function authorityOf({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** Connections that the system may keep waiting for `accept`; more than all our connections together would be idle talk. */
const BACKLOG_CONNECTIONS = 128

/** Whether a literal IP address (no brackets) is loopback: 127.0.0.0/8, ::1, and the former mapped into IPv6. */
export function isLoopbackAddress(address: string): boolean {
  return isIP(address) !== 0 && LOOPBACK.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/**
 * Takes in `HOST:PORT` as a user writes it for `--listen` and `--manage`; an IPv6 address stands in brackets.
 *
 * Errors: `USAGE` when it is not of that shape; `BIND_REFUSED` for any host but loopback, names other than `localhost` too,
 * because what a name resolves to tomorrow is not ours to promise.
 */
export function parseListenAddress(text: string): ListenAddress {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(parts?.[3])
  if (parts === null || port > 65_535) throw notAnAddress(text)
  const bracketed = parts[1]
  const host = (bracketed ?? parts[2] ?? '').toLowerCase()
  if (bracketed !== undefined && !isIPv6(bracketed)) throw notAnAddress(text)
  if (host !== 'localhost' && !isLoopbackAddress(host)) throw bindRefused(text)
  // One listener, one address: `localhost` would bind two, and the second may be somebody else's.
  return { host: host === 'localhost' ? '127.0.0.1' : host, port }
}

/**
 * Makes an app listen, and says where.
 *
 * Errors: `BIND_REFUSED` (not loopback, or the system forbids the port), `PORT_IN_USE`.
 */
export async function listenOnLoopback(app: FastifyInstance, address: ListenAddress): Promise<BoundAddress> {
  const { host, port } = address
  if (!isLoopbackAddress(host)) throw bindRefused(`http://${authorityOf(address)}`)
  try {
    await app.listen({ host, port, backlog: BACKLOG_CONNECTIONS, exclusive: true })
  } catch (cause) {
    throw listenFailure(address, cause)
  }
  const bound = app.server.address()
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port
  return { host, port: boundPort, origin: `http://${authorityOf({ host, port: boundPort })}` }
}

function listenFailure(address: ListenAddress, cause: unknown): unknown {
  const at = authorityOf(address)
  const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (errno === 'EADDRINUSE') {
    const hint = `Another process listens there: "ss -ltnp 'sport = :${address.port}'" shows which. Stop it, or choose another port; port 0 takes a free one.`
    return new ReplicationError({ code: 'PORT_IN_USE', message: `${at} is in use`, hint, cause })
  }
  if (errno === 'EACCES') {
    const hint = 'Ports below 1024 belong to root on most systems: choose a higher one, such as 7700.'
    return new ReplicationError({ code: 'BIND_REFUSED', message: `not allowed to listen on ${at}`, hint, cause })
  }
  if (errno === 'EADDRNOTAVAIL') {
    const hint = 'This machine has no such address. Use 127.0.0.1.'
    return new ReplicationError({ code: 'BIND_REFUSED', message: `cannot listen on ${at}`, hint, cause })
  }
  return cause
}

function notAnAddress(text: string): ReplicationError {
  return new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text.slice(0, 80))} is no address to listen on`,
    hint: 'Write HOST:PORT, for example 127.0.0.1:7700 or [::1]:7700.',
  })
}

function bindRefused(text: string): ReplicationError {
  return new ReplicationError({
    code: 'BIND_REFUSED',
    message: `${text.slice(0, 80)} is not a loopback address`,
    hint: 'Other machines may connect only over TLS with credentials, which this version does not have yet. Use 127.0.0.1 and, for another machine, a tunnel such as "ssh -L".',
  })
}
