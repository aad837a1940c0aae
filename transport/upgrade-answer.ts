import { ReplicationError } from '../engine/error.ts'
import { wireFault } from './wire.ts'

/** What a source answered to the request for an upgrade. */
export interface UpgradeAnswer {
  readonly status: number
  /** Header values by lower-case name; of a repeated one the first. */
  readonly headers: ReadonlyMap<string, string>
  /** Bytes behind the head: frames already, or the body of a refusal. */
  readonly rest: Uint8Array
}

/** Longest head of an answer; ours have about 200 bytes. */
export const ANSWER_HEAD_BYTES_MAX = 8192

/** The request for an upgrade, as bytes to send. `host` is that of the URL, `protocols` are tried best first. */
export function upgradeRequest(path: string, host: string, protocols: readonly string[]): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: ${protocols.join(', ')}\r\n\r\n`
}

/**
 * Reads the answer as far as it has come: null while its head is incomplete. Errors: `WIRE_PROTOCOL` for a head that is too
 * long or no HTTP/1.1.
 */
export function readUpgradeAnswer(bytes: Uint8Array): UpgradeAnswer | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  if (end < 0 && bytes.length < ANSWER_HEAD_BYTES_MAX) return null
  if (end < 0 || end > ANSWER_HEAD_BYTES_MAX)
    throw wireFault(`the answer's head is longer than ${ANSWER_HEAD_BYTES_MAX}`)
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1]
  if (status === undefined) throw wireFault('the answer is no HTTP/1.1: is something else listening there?')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase()
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return { status: Number(status), headers, rest: bytes.subarray(end + 4) }
}

/** Checks that the connection now speaks one of `protocols`; answers which. Errors: `WIRE_PROTOCOL`, `NODE_UNREACHABLE`. */
export function acceptedProtocol(answer: UpgradeAnswer, protocols: readonly string[]): string {
  if (answer.status >= 500) {
    throw new ReplicationError({
      code: 'NODE_UNREACHABLE',
      message: `the source answered ${answer.status}`,
      hint: 'It is starting, stopping or overloaded; the copy tries again by itself.',
    })
  }
  if (answer.status !== 101)
    throw wireFault(`the source answered ${answer.status} and offers none of ${protocols.join(', ')}`)
  const chosen = answer.headers.get('upgrade')?.toLowerCase() ?? ''
  if (!protocols.includes(chosen)) throw wireFault(`the source switched to ${JSON.stringify(chosen.slice(0, 80))}`)
  return chosen
}
