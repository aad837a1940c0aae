import type { CliIo } from './cli-io.ts'
import type { Settings } from './config.ts'
import type { ConfigSources } from './config-effective.ts'

/** The options that every command takes. */
export interface GlobalOptions {
  /** One JSON document instead of text; with `--watch` or `--follow` one a line. */
  readonly json?: true
  /** The management address of the service to ask, as a URL; overrides CCR_SERVER. */
  readonly server?: string
  /** The configuration file. */
  readonly config?: string
}

/** What a command works with. */
export interface CommandContext {
  readonly io: CliIo
  readonly globals: GlobalOptions
}

/** Does a command's work and gives its exit code; faults are thrown. */
export type CommandHandler = (context: CommandContext) => Promise<number>

/** Where a command hands in its handler when its line was understood. */
export type Act = (handler: CommandHandler) => void

/** The settings in effect for a command, with what its own flags override. */
export async function settingsFor(context: CommandContext, flags: ConfigSources['flags'] = {}): Promise<Settings> {
  const { effectiveConfig, settingsOf } = await import('./config-effective.ts')
  return settingsOf(await effectiveConfig({ flags, env: context.io.env, configPath: context.globals.config }))
}
