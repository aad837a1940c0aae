import { connect, type Socket } from 'node:net'

/** What a server did with raw bytes. */
export interface RawAnswer {
  /** Status of the first final answer, or `closed` when the connection ended without one. */
  readonly status: number | 'closed'
  /** Everything that came, headers and bodies. */
  readonly text: string
}

/** How long a test waits before it says that a server hangs. */
const HANG_MS = 10_000

/**
 * Sends bytes as they are and reads until the server closes. `more` is called with the socket once it stands, for what has to
 * be sent slowly; `end` sends FIN after the bytes. Rejects when the server neither answers nor closes.
 */
export function sendRaw(
  port: number,
  bytes: string | Uint8Array,
  options: { readonly end?: boolean; readonly more?: (socket: Socket) => void } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    const pieces: Buffer[] = []
    const hang = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the server hangs after: ${Buffer.concat(pieces).toString('latin1').slice(0, 200)}`))
    }, HANG_MS)
    socket.on('connect', () => {
      if (bytes.length > 0) socket.write(bytes)
      if (options.end === true) socket.end()
      options.more?.(socket)
    })
    socket.on('data', (piece) => pieces.push(piece))
    // A server that closes while we still send makes the system reset the connection; what it said before counts.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(hang)
      resolve(readAnswer(Buffer.concat(pieces).toString('latin1')))
    })
  })
}

/** A request with the headers that every request has, as one string. `headers` may be malformed on purpose. */
export function rawRequest(line: string, headers: readonly string[] = [], body = ''): string {
  return [line, 'Host: 127.0.0.1', 'Connection: close', ...headers, '', body].join('\r\n')
}

/** A POST of JSON text. */
export function rawPost(path: string, json: string, headers: readonly string[] = []): string {
  const length = `Content-Length: ${Buffer.byteLength(json)}`
  return rawRequest(`POST ${path} HTTP/1.1`, ['Content-Type: application/json', length, ...headers], json)
}

function readAnswer(text: string): RawAnswer {
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((found) => Number(found[1]))
  return { status: statuses.find((status) => status >= 200) ?? 'closed', text }
}
