import { asStorageGroupName } from '../engine/storage-group.ts'
import type { ApiClient } from './api-client.ts'
import type { ApiConnection, ApiConnectionOptions } from './api-connection.ts'
import { type CommandContext, settingsFor } from './cli-context.ts'

/** Which service a command speaks to when nobody names one: the copy for its status, the source for truncation. */
export type Side = 'copy' | 'share'

/** Does something with the management API of a service, and closes the connection afterwards. */
export async function withManagement<Result>(
  context: CommandContext,
  side: Side,
  use: (client: ApiClient) => Promise<Result>,
): Promise<Result> {
  const { ApiClient } = await import('./api-client.ts')
  const client = new ApiClient(await connectionOptions(context, side))
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

/** The same with a plain connection, for routes that {@link withManagement}'s client does not know. */
export async function withConnection<Result>(
  context: CommandContext,
  side: Side,
  use: (connection: ApiConnection) => Promise<Result>,
): Promise<Result> {
  const { ApiConnection } = await import('./api-connection.ts')
  const connection = new ApiConnection(await connectionOptions(context, side))
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}

/** The management address that the line or the environment names, or null. */
export function namedServer({ globals, io }: CommandContext): string | null {
  return globals.server ?? (io.env['CCR_SERVER'] || null)
}

/** How the service of a side is reached: where it is named, there, else where the settings say. */
export async function connectionOptions(
  context: CommandContext,
  side: Side,
  named: string | null = namedServer(context),
): Promise<ApiConnectionOptions> {
  const settings = await settingsFor(context)
  return {
    server: named ?? `http://${settings[side === 'copy' ? 'copy.manage' : 'share.manage']}`,
    timeoutMs: settings['client.timeout'],
    signal: context.io.signal,
  }
}

/** Takes in the name of a storage group; of `SERVER\NAME`, as Exchange's Identity has it, the name. Errors: `NAME_INVALID`. */
export function storageGroupArgument(text: string): string {
  return asStorageGroupName(text.slice(text.lastIndexOf('\\') + 1))
}
