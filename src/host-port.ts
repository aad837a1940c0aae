import { ReplicationError } from '../engine/error.ts'

/** Where to listen. */
export interface HostPort {
  /** A host name or address, without brackets. */
  readonly host: string
  /** 0 to 65,535; 0 takes any free port. */
  readonly port: number
}

/** The highest TCP port. */
const PORT_MAX = 65_535

/** Takes in `127.0.0.1:7700`, `localhost:0` or `[::1]:7700`. Errors: `USAGE`. */
export function parseHostPort(text: string): HostPort {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text)
  const host = parts?.[1] ?? parts?.[2]
  const port = Number(parts?.[3])
  if (host !== undefined && port <= PORT_MAX) return { host, port }
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no address to listen on`,
    hint: 'Write HOST:PORT, for example 127.0.0.1:7700, [::1]:7700, or port 0 for any free port.',
  })
}
